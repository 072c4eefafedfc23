import { useRole } from '../../session/session';
import { operatorDeadLetters } from '../dead-letters/dead-letter-calls';
import { DeadLetterPages } from '../dead-letters/dead-letter-pages';

export default function PlatformDeadLetters() {
  const mayWrite = useRole('operator');
  return (
    <DeadLetterPages calls={operatorDeadLetters} rights={{ mayWrite, mayChangeJobs: mayWrite, maySeeReplays: true }} />
  );
}
