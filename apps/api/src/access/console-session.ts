import type { KnownKey, KnownSession } from '#database';

/** The session of a request of the console. `key`: its API key, null for an operator. */
export interface ConsoleSession {
  known: KnownSession;
  key: KnownKey | null;
}
