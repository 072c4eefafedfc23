import { setTimeout as delay } from 'node:timers/promises';
import { CommandError, exitCodes } from '../exit-codes.js';
import { ProgressLine } from '../output.js';
import type { DlqClient } from './dlq-client.js';

/** Requests at a time. A replay takes some milliseconds, so this allows several hundred a second. */
const CONCURRENCY = 4;
/** Failures that the result lists; the others are only counted. */
const MAX_LISTED = 20;
/** The codes of a dead letter that needs no replay. */
const NOT_OPEN = ['already_replayed', 'conflict'];

interface ReplayResult {
  replayed: number;
  skipped: number;
  failed: number;
  failures: { id: string; code: string; message: string }[];
}

/** Replays dead letters at most `pace` a second. Throws if Carillon is unreachable: the rest can be replayed later. */
export async function replayEach(dlq: DlqClient, ids: readonly string[], pace: number): Promise<ReplayResult> {
  const result: ReplayResult = { replayed: 0, skipped: 0, failed: 0, failures: [] };
  const progress = new ProgressLine();
  const startedAt = performance.now();
  let next = 0;
  const run = async (): Promise<void> => {
    while (next < ids.length) {
      const index = next;
      next += 1;
      await delay(Math.max(0, startedAt + (index * 1_000) / pace - performance.now()));
      await replay(dlq, ids[index]!, result);
      progress.show(`${result.replayed + result.skipped + result.failed} of ${ids.length}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, run));
  } catch (error) {
    // Ends the other loops.
    next = ids.length;
    if (!(error instanceof CommandError)) throw error;
    const before = `Replayed ${result.replayed} of ${ids.length} before that. Run it again for the rest.`;
    throw new CommandError(`${error.message}\n${before}`, error.exitCode, { ...error.details, ...result });
  } finally {
    progress.end();
  }
  return result;
}

async function replay({ client, path }: DlqClient, id: string, result: ReplayResult): Promise<void> {
  try {
    await client.request('POST', `${path}/${encodeURIComponent(id)}/replay`);
    result.replayed += 1;
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode !== exitCodes.refused) throw error;
    const code = String(error.details['code']);
    // The credentials are wrong for all of them.
    if (code === 'unauthenticated' || code === 'forbidden') throw error;
    if (NOT_OPEN.includes(code)) {
      result.skipped += 1;
      return;
    }
    result.failed += 1;
    if (result.failures.length < MAX_LISTED) result.failures.push({ id, code, message: error.message });
  }
}
