import { Text } from '@mantine/core';
import type { Column } from '../list/list';
import { StateBadge } from '../page/state-badge';
import { Time, wholeTime } from '../page/time';
import type { Job } from './job-calls';
import { JobBar } from './job-panel';
import { processedOf } from './job-progress';

/** Of lists of jobs of one kind. */
export const jobColumns: readonly Column<Job>[] = [
  { id: 'created_at', label: 'Created', cell: ({ created_at }) => wholeTime(created_at) },
  { id: 'state', label: 'State', cell: ({ state }) => <StateBadge state={state} /> },
  {
    id: 'progress',
    label: 'Progress',
    cell: (job) => (
      <div style={{ minWidth: 140 }}>
        <Text size="xs">
          {processedOf(job).toLocaleString()}
          {job.total === null ? '' : ` of ${job.total.toLocaleString()}`}
        </Text>
        <JobBar job={job} />
      </div>
    ),
  },
  { id: 'failed', label: 'Failed', cell: ({ failed }) => failed.toLocaleString() },
  { id: 'finished_at', label: 'Ended', cell: ({ finished_at }) => <Time value={finished_at} /> },
];
