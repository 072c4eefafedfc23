import { Button } from '@mantine/core';
import { IconUpload } from '@tabler/icons-react';
import { Link } from 'react-router';
import { useViewContext } from '../../api/view-context';
import type { Job } from '../../job/job-calls';
import { jobColumns } from '../../job/job-columns';
import { type Column, List } from '../../list/list';
import { choicesOf, type Filter } from '../../list/list-filters';
import { Page } from '../../page/page';
import { useScope } from '../../session/session';

const LIVE_MS = 3_000;

export const KINDS: Record<Job['kind'], string> = {
  topic_send: 'Send to a topic',
  upload: 'Upload',
  dead_letter_replay: 'Replay of dead letters',
  operator_dead_letter_replay: "Operator's replay of dead letters",
};

const columns: readonly Column<Job>[] = [{ id: 'kind', label: 'Job', cell: ({ kind }) => KINDS[kind] }, ...jobColumns];

const filters: readonly Filter[] = [
  {
    name: 'state',
    label: 'State',
    kind: 'choice',
    choices: choicesOf(['running', 'paused', 'finished', 'cancelled', 'failed']),
  },
  {
    name: 'kind',
    label: 'Kind',
    kind: 'choice',
    choices: (['topic_send', 'upload', 'dead_letter_replay'] as const).map((value) => ({ value, label: KINDS[value] })),
  },
];

export function JobList() {
  const { linkTo } = useViewContext();
  const maySend = useScope('notifications:write');
  return (
    <Page
      title="Jobs"
      about="Sends to topics, uploads and replays, which run in the background."
      actions={
        maySend && (
          <Button component={Link} to={linkTo('/jobs/upload')} leftSection={<IconUpload size={16} aria-hidden />}>
            Upload recipients
          </Button>
        )
      }
    >
      <List<Job>
        name="jobs"
        columns={columns}
        load={(carillon, query) => carillon.jobs.list({ query })}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/jobs/${id}`)}
        filters={filters}
        empty={{
          title: 'No jobs yet',
          text: 'A send to a topic, an upload of recipients or a replay of dead letters makes one.',
        }}
        refreshMs={LIVE_MS}
      />
    </Page>
  );
}
