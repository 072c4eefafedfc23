import { Anchor, Stack, Title } from '@mantine/core';
import { Link, useParams } from 'react-router';
import type { JobsErrorsResponse } from '#client';
import { useRead, useViewContext } from '../../api/view-context';
import { type Job, tenantJobs } from '../../job/job-calls';
import { JobPanel } from '../../job/job-panel';
import { type Column, List } from '../../list/list';
import { Page } from '../../page/page';
import { inWords } from '../../page/state-badge';
import { useScope } from '../../session/session';
import { KINDS } from './job-list';

type RejectedLine = JobsErrorsResponse['data'][number];

const columns: readonly Column<RejectedLine>[] = [
  { id: 'line', label: 'Line', cell: ({ line }) => line.toLocaleString() },
  { id: 'code', label: 'Reason', cell: ({ code }) => inWords(code) },
  {
    id: 'errors',
    label: 'Errors',
    cell: ({ errors }) => errors.map(({ pointer, message }) => `${pointer.slice(1)} ${message}`.trim()).join('; '),
  },
];

const DONE: Record<Job['kind'], string> = {
  topic_send: 'Members with deliveries',
  upload: 'Sent to',
  dead_letter_replay: 'Back in the queue',
  operator_dead_letter_replay: 'Back in the queue',
};

export function JobPage() {
  const { id = '' } = useParams();
  const { linkTo } = useViewContext();
  const maySend = useScope('notifications:write');
  const { data } = useRead([tenantJobs.name, 'one', id], (carillon) => tenantJobs.get(carillon, id));
  return (
    <Page title={data ? KINDS[data.kind] : 'Job'} parent={{ title: 'Jobs', to: linkTo('/jobs') }}>
      <JobPanel id={id} calls={tenantJobs} mayChange={maySend} mayStop={maySend} done={data ? DONE[data.kind] : 'Done'}>
        {(job) => (
          <Stack>
            {job.notification_id && (
              <Anchor component={Link} to={linkTo(`/notifications/${job.notification_id}`)} size="sm">
                The notification of this job
              </Anchor>
            )}
            {job.kind === 'upload' && <RejectedLines job={job} />}
          </Stack>
        )}
      </JobPanel>
    </Page>
  );
}

function RejectedLines({ job }: { job: Job }) {
  return (
    <>
      <Title order={2} size="h4">
        Rejected lines
      </Title>
      <List<RejectedLine>
        name="rejected_lines"
        of={job.id}
        columns={columns}
        load={(carillon, query) => carillon.jobs.errors({ path: { id: job.id }, query })}
        rowId={({ line }) => String(line)}
        empty={{ title: 'No line was rejected', text: 'Lines that are not valid are listed here with their numbers.' }}
      />
    </>
  );
}
