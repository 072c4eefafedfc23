import { setTimeout as delay } from 'node:timers/promises';
import { type IdempotencyStore, isUnanswered, type StoredResponse } from '#database';
import { newId } from '#domain';

/** How long to retry storing a response while the database is unavailable. */
const RETRY_FOR_MS = 300_000;
const RETRY_PAUSE_MS = 250;

/**
 * Reserves the key, runs `act`, and stores its answer. If an earlier request with the key has answered, `act` does not
 * run. Once `act` has succeeded, returns its answer even if storing it failed. Releases the key only when it is certain
 * that `act` changed nothing: a retry must not act twice. Throws `idempotency_mismatch`, `idempotency_in_flight` or
 * `idempotency_unknown`, and the errors of `act`.
 */
export async function answerOnce(
  store: IdempotencyStore,
  { tenantId, key, bodyHash }: { tenantId: string; key: string; bodyHash: string },
  act: () => Promise<StoredResponse>,
): Promise<{ answer: StoredResponse; isReplay: boolean }> {
  const token = newId();
  const abandon = (): Promise<void> => writeOrRetry(() => store.abandon(tenantId, key, token));
  let first: StoredResponse | null;
  try {
    first = await store.begin(tenantId, key, bodyHash, token);
  } catch (error) {
    // The key may be reserved although the database did not answer; nothing has run.
    if (isUnanswered(error)) await abandon();
    throw error;
  }
  if (first) return { answer: first, isReplay: true };
  try {
    const answer = await act();
    await writeOrRetry(() => store.complete(tenantId, key, token, answer));
    return { answer, isReplay: false };
  } catch (error) {
    // Without an answer of the database the act may have had its effect: the key stays.
    if (!isUnanswered(error)) await abandon();
    throw error;
  }
}

/** Tries the write once, then retries in the background so that the response is not delayed. Never throws. */
async function writeOrRetry(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch {
    void retryInBackground(write);
  }
}

async function retryInBackground(write: () => Promise<void>): Promise<void> {
  for (const end = performance.now() + RETRY_FOR_MS; performance.now() < end; ) {
    await delay(RETRY_PAUSE_MS, undefined, { ref: false });
    try {
      return await write();
    } catch {
      // If every try fails, the key stays without a response and a retry gets `idempotency_unknown`.
    }
  }
}
