import { ProviderError } from '#domain';
import type { Connection } from './define-provider.js';

/** Looked at again after this; the account is busy, not broken. */
const RETRY_AFTER_SECONDS = 2;

/**
 * Lets no more than the connection's `maxInFlight` sends be under way. Who waits until the deadline has sent nothing: that is
 * `throttled`, where the queue of an SDK would have made it an unknown outcome.
 */
export function boundedConnection(connection: Connection): Connection {
  const { maxInFlight } = connection;
  if (maxInFlight === undefined) return connection;
  let inFlight = 0;
  const waiting: (() => void)[] = [];

  const enter = async (signal: AbortSignal): Promise<void> => {
    if (inFlight >= maxInFlight) {
      await new Promise<void>((resolve, reject) => {
        const turn = (): void => {
          signal.removeEventListener('abort', late);
          resolve();
        };
        const late = (): void => {
          waiting.splice(waiting.indexOf(turn), 1);
          reject(
            new ProviderError(
              'throttled',
              `All ${maxInFlight} connections of this account were busy until the deadline`,
              { code: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS },
            ),
          );
        };
        waiting.push(turn);
        signal.addEventListener('abort', late, { once: true });
      });
    }
    inFlight += 1;
  };
  const leave = (): void => {
    inFlight -= 1;
    waiting.shift()?.();
  };

  return {
    ...connection,
    send: async (message, options) => {
      await enter(options.signal);
      try {
        return await connection.send(message, options);
      } finally {
        leave();
      }
    },
  };
}
