import type { DeadLetterCalls } from './dead-letter-calls';

/** The rights of the session on the pages of dead letters. */
interface Rights {
  /** Replay and discard. */
  mayWrite: boolean;
  /** Pause and resume a replay, and set its pace. */
  mayChangeJobs: boolean;
  maySeeReplays: boolean;
}

/** Whose dead letters the pages show, and with which rights. */
export interface DeadLetterPagesProps {
  calls: DeadLetterCalls;
  rights: Rights;
}
