import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { EitherCredential } from '../api/connection.js';
import { CommandError, exitCodes, usageError } from '../exit-codes.js';
import { count, type JsonOption, jsonText, ProgressLine, printNote, printResult, table } from '../output.js';
import { connectDlq, type DlqClient } from './dlq-client.js';
import { replayEach } from './replay-each.js';
import { countReplay, replayInJob, showReplay, stopReplay } from './replay-job.js';

interface FilterOptions extends EitherCredential, JsonOption {
  tenant?: string;
  channel?: string;
  provider?: string;
  reason?: string;
  code?: string;
  failedAfter?: string;
  failedBefore?: string;
}
export interface ListRun extends FilterOptions {
  unreplayed?: boolean;
  limit: number;
}
export interface ReplayRun extends FilterOptions {
  all?: boolean;
  dryRun?: boolean;
  pace: number;
  status?: string;
  stop?: string;
}
export interface ExportRun extends FilterOptions {
  output?: string;
}

export interface DeadLetter {
  id: string;
  /** Only in answers to the operator. */
  tenant_id?: string;
  delivery_id: string;
  channel: string;
  recipient_id: string;
  provider: string | null;
  reason: string;
  detail: string | null;
  attempts: number;
  failed_at: string;
  replayed_at: string | null;
  settled_at: string | null;
}

const PROGRESS_EVERY = 100;

export async function listLetters(options: ListRun): Promise<void> {
  const { client, path } = await connectDlq(options);
  const query = { ...queryOf(options), unreplayed: options.unreplayed };
  const letters: DeadLetter[] = [];
  for await (const letter of client.list<DeadLetter>(path, query, options.limit)) letters.push(letter);
  printResult(options, { data: letters }, () => letterTable(letters));
}

export async function replayLetters(ids: string[], options: ReplayRun): Promise<void> {
  const filter = queryOf(options);
  const isFiltered = options.all || Object.values(filter).some((value) => value !== undefined);
  const job = options.status ?? options.stop;
  if ([ids.length > 0, isFiltered, options.status !== undefined, options.stop !== undefined].filter(Boolean).length > 1)
    throw usageError('Give ids, or filters, or --status, or --stop, not several of them.');
  if (job === undefined && ids.length === 0 && !isFiltered)
    throw usageError('Give ids, at least one filter, or --all for every dead letter.');
  const dlq = await connectDlq(options);
  if (options.status !== undefined) await showReplay(dlq, options.status, options);
  else if (options.stop !== undefined) await stopReplay(dlq, options.stop, options);
  else if (ids.length > 0) await replayIds(dlq, ids, options);
  else if (options.dryRun) await countReplay(dlq, { filter, pace: options.pace }, options);
  else await replayInJob(dlq, { filter, pace: options.pace }, options);
}

async function replayIds(dlq: DlqClient, ids: string[], options: ReplayRun): Promise<void> {
  if (options.dryRun) {
    printResult(
      options,
      { dry_run: true, count: ids.length },
      () => `Would replay ${count(ids.length, 'dead letter')}. Nothing was changed.`,
    );
    return;
  }
  const result = await replayEach(dlq, ids, options.pace);
  printResult(options, result, () =>
    [
      `Replayed ${count(result.replayed, 'dead letter')} of ${ids.length}.`,
      ...(result.skipped > 0 ? [`Skipped ${result.skipped}: replayed or settled before, or expired.`] : []),
      ...result.failures.map(({ id, message }) => `Not replayed: ${id}: ${message}`),
    ].join('\n'),
  );
  if (result.failed > 0) process.exitCode = exitCodes.findings;
}

export async function exportLetters(options: ExportRun): Promise<void> {
  const { client, path } = await connectDlq(options);
  const { output } = options;
  // wx: never overwrites a file.
  const out = output === undefined ? process.stdout : createWriteStream(output, { flags: 'wx', mode: 0o600 });
  const failed = once(out, 'error').then(([error]) => {
    throw new CommandError(`--output: ${(error as Error).message}`, exitCodes.failed, { code: 'output' });
  });
  const progress = new ProgressLine();
  let written = 0;
  const write = async (): Promise<void> => {
    for await (const letter of client.list<DeadLetter>(path, queryOf(options))) {
      if (!out.write(`${jsonText(letter)}\n`)) await once(out, 'drain');
      written += 1;
      if (written % PROGRESS_EVERY === 0) progress.show(`exported ${count(written, 'dead letter')}`);
    }
    if (out !== process.stdout) await new Promise<void>((resolve) => out.end(resolve));
  };
  await Promise.race([write(), failed]);
  progress.end();
  if (output !== undefined)
    printResult(
      options,
      { exported: written, output },
      () => `Exported ${count(written, 'dead letter')} to ${output}.`,
    );
  else if (!options.json) printNote(`Exported ${count(written, 'dead letter')}.`);
}

function letterTable(letters: readonly DeadLetter[]): string {
  if (letters.length === 0) return 'No dead letters.';
  return table(
    ['id', 'failed at', 'channel', 'provider', 'reason', 'recipient', 'state'],
    letters.map((letter) => [
      letter.id,
      letter.failed_at,
      letter.channel,
      letter.provider,
      letter.reason,
      letter.recipient_id,
      letter.replayed_at === null ? (letter.settled_at === null ? 'open' : 'settled') : 'replayed',
    ]),
  );
}

function queryOf(options: FilterOptions) {
  return {
    tenant_id: options.tenant,
    channel: options.channel,
    provider: options.provider,
    reason: options.reason,
    code: options.code,
    failed_after: options.failedAfter,
    failed_before: options.failedBefore,
  };
}
