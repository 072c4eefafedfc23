import { useViewContext } from '../../api/view-context';
import type { Job } from '../../job/job-calls';
import { jobColumns } from '../../job/job-columns';
import { List } from '../../list/list';
import { Page } from '../../page/page';
import type { DeadLetterCalls } from './dead-letter-calls';

const LIVE_MS = 5_000;

export function ReplayList({ calls }: { calls: DeadLetterCalls }) {
  const { linkTo } = useViewContext();
  return (
    <Page
      title="Replays"
      about="Jobs that put dead letters back into the queue, newest first."
      parent={{ title: 'Dead letters', to: linkTo('/dead-letters') }}
    >
      <List<Job>
        name={calls.jobs.name}
        columns={jobColumns}
        load={calls.replays}
        rowId={({ id }) => id}
        linkTo={({ id }) => linkTo(`/dead-letters/replays/${id}`)}
        empty={{ title: 'No replays yet', text: 'Start one from the list of dead letters.' }}
        refreshMs={LIVE_MS}
      />
    </Page>
  );
}
