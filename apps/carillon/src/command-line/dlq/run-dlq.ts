import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { type ConnectionOptions, connect } from '../api/connection.js';
import { CommandError, exitCodes, usageError } from '../exit-codes.js';
import { count, type JsonOption, jsonText, ProgressLine, printNote, printResult, table } from '../output.js';
import { replayEach } from './replay-each.js';

interface FilterOptions extends ConnectionOptions, JsonOption {
  tenant?: string;
  channel?: string;
  provider?: string;
  reason?: string;
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
}
export interface ExportRun extends FilterOptions {
  output?: string;
}

export interface DeadLetter {
  id: string;
  tenant_id: string;
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

const DLQ = '/internal/dlq';
const PROGRESS_EVERY = 100;

export async function listLetters(options: ListRun): Promise<void> {
  const client = await connect(options, 'admin-token');
  const query = { ...queryOf(options), unreplayed: options.unreplayed };
  const letters: DeadLetter[] = [];
  for await (const letter of client.list<DeadLetter>(DLQ, query, options.limit)) letters.push(letter);
  printResult(options, { data: letters }, () => letterTable(letters));
}

export async function replayLetters(ids: string[], options: ReplayRun): Promise<void> {
  const query = queryOf(options);
  const isFiltered = Object.values(query).some((value) => value !== undefined);
  if (ids.length > 0 && (isFiltered || options.all)) throw usageError('Give ids, or filters, not both.');
  if (ids.length === 0 && !isFiltered && !options.all)
    throw usageError('Give ids, at least one filter, or --all for every dead letter.');
  const client = await connect(options, 'admin-token');
  const found: string[] = [...ids];
  const shown: DeadLetter[] = [];
  const progress = new ProgressLine();
  // The list is read before the first replay: replays would move the pages.
  if (ids.length === 0)
    for await (const letter of client.list<DeadLetter>(DLQ, { ...query, unreplayed: true })) {
      found.push(letter.id);
      if (shown.length < 20) shown.push(letter);
      if (found.length % PROGRESS_EVERY === 0) progress.show(`found ${count(found.length, 'dead letter')}`);
    }
  progress.end();
  if (options.dryRun) {
    const listed = shown.length === 0 ? found.join('\n') : `${letterTable(shown)}${found.length > 20 ? '\n…' : ''}`;
    printResult(options, { dry_run: true, found: found.length, ids: found }, () =>
      `${listed}\nWould replay ${count(found.length, 'dead letter')}. Nothing was changed.`.trimStart(),
    );
    return;
  }
  const result = await replayEach(client, found, options.pace);
  printResult(options, { dry_run: false, found: found.length, ...result }, () =>
    [
      `Replayed ${count(result.replayed, 'dead letter')} of ${found.length}.`,
      ...(result.skipped > 0 ? [`Skipped ${result.skipped}: replayed or settled before, or expired.`] : []),
      ...result.failures.map(({ id, message }) => `Not replayed: ${id}: ${message}`),
    ].join('\n'),
  );
  if (result.failed > 0) process.exitCode = exitCodes.findings;
}

export async function exportLetters(options: ExportRun): Promise<void> {
  const client = await connect(options, 'admin-token');
  const { output } = options;
  // wx: never overwrites a file.
  const out = output === undefined ? process.stdout : createWriteStream(output, { flags: 'wx', mode: 0o600 });
  const failed = once(out, 'error').then(([error]) => {
    throw new CommandError(`--output: ${(error as Error).message}`, exitCodes.failed, { code: 'output' });
  });
  const progress = new ProgressLine();
  let written = 0;
  const write = async (): Promise<void> => {
    for await (const letter of client.list<DeadLetter>(DLQ, queryOf(options))) {
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
    failed_after: options.failedAfter,
    failed_before: options.failedBefore,
  };
}
