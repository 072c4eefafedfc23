import { Route, Routes, useParams } from 'react-router';
import { useViewContext } from '../../api/view-context';
import { JobPanel } from '../../job/job-panel';
import { Page } from '../../page/page';
import { DeadLetterList } from './dead-letter-list';
import { DeadLetterPage } from './dead-letter-page';
import type { DeadLetterPagesProps } from './dead-letter-rights';
import { ReplayList } from './replay-list';

/** The pages of a tenant, and with other routes those of the operator. */
export function DeadLetterPages(props: DeadLetterPagesProps) {
  return (
    <Routes>
      <Route index element={<DeadLetterList {...props} />} />
      <Route path="replays" element={<ReplayList calls={props.calls} />} />
      <Route path="replays/:id" element={<ReplayPage {...props} />} />
      <Route path=":id" element={<DeadLetterPage {...props} />} />
    </Routes>
  );
}

function ReplayPage({ calls, rights }: DeadLetterPagesProps) {
  const { id = '' } = useParams();
  const { linkTo } = useViewContext();
  const parent = rights.maySeeReplays
    ? { title: 'Replays', to: linkTo('/dead-letters/replays') }
    : { title: 'Dead letters', to: linkTo('/dead-letters') };
  return (
    <Page
      title="Replay of dead letters"
      about={
        'A replayed delivery goes through all its steps again. ' +
        'What this replay has put back into the queue stays there.'
      }
      parent={parent}
    >
      <JobPanel
        id={id}
        calls={calls.jobs}
        mayChange={rights.mayChangeJobs}
        mayStop={rights.mayWrite}
        done="Back in the queue"
      />
    </Page>
  );
}
