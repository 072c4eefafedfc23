import { useScope } from '../../session/session';
import { tenantDeadLetters } from './dead-letter-calls';
import { DeadLetterPages } from './dead-letter-pages';

export default function DeadLetters() {
  const mayWrite = useScope('dead_letters:write');
  const maySend = useScope('notifications:write');
  const maySeeJobs = useScope('notifications:read');
  return (
    <DeadLetterPages
      calls={tenantDeadLetters}
      rights={{ mayWrite, mayChangeJobs: maySend, maySeeReplays: maySeeJobs }}
    />
  );
}
