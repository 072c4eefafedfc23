import { setTimeout as delay } from 'node:timers/promises';
import { CommandError, exitCodes } from '../exit-codes.js';
import { count, type JsonOption, ProgressLine, printResult } from '../output.js';
import type { DlqClient } from './dlq-client.js';

const POLL_MS = 1_000;

interface Job {
  id: string;
  state: string;
  /** Null if there are more than a count examines. */
  total: number | null;
  done: number;
  skipped: number;
  failed: number;
  error: { code: string; message: string } | null;
  finished_at: string | null;
}

type DryRun = { dry_run: true; count: number; at_least?: true };

export interface JobRequest {
  filter: Record<string, string | undefined>;
  pace: number;
}

export async function countReplay(dlq: DlqClient, { filter }: JobRequest, options: JsonOption): Promise<void> {
  const answer = await dlq.client.request<DryRun>('POST', `${dlq.path}/replay`, { body: { filter, dry_run: true } });
  const minimum = answer.at_least ? 'at least ' : '';
  const limit = answer.at_least ? ' There are more than a count examines (docs/dead-letters.md).' : '';
  printResult(
    options,
    answer,
    () => `Would replay ${minimum}${count(answer.count, 'dead letter')}.${limit} Nothing was changed.`,
  );
}

/** Starts a job and follows it. Ctrl-C ends the command and not the job. */
export async function replayInJob(dlq: DlqClient, { filter, pace }: JobRequest, options: JsonOption): Promise<void> {
  const body = { filter, rate_per_second: pace };
  const job = await dlq.client.request<Job>('POST', `${dlq.path}/replay`, { body });
  const interrupted = Promise.withResolvers<never>();
  const interrupt = (): void =>
    interrupted.reject(
      new CommandError(`Interrupted. ${goesOn(job.id)}`, exitCodes.interrupted, { code: 'interrupted', job: job.id }),
    );
  process.once('SIGINT', interrupt);
  const polling = new AbortController();
  const progress = new ProgressLine();
  try {
    const end = await Promise.race([follow(dlq, job, progress, polling.signal), interrupted.promise]);
    progress.end();
    report(end, options);
  } catch (error) {
    if (!(error instanceof CommandError) || error.exitCode === exitCodes.interrupted) throw error;
    throw new CommandError(`${error.message}\n${goesOn(job.id)}`, error.exitCode, { ...error.details, job: job.id });
  } finally {
    progress.end();
    polling.abort();
    process.off('SIGINT', interrupt);
  }
}

export async function showReplay(dlq: DlqClient, id: string, options: JsonOption): Promise<void> {
  const job = await dlq.client.request<Job>('GET', `${dlq.path}/replay/${encodeURIComponent(id)}`);
  printResult(options, job, () => `The replay ${job.id} is ${job.state}: ${progressOf(job)}${errorOf(job)}.`);
}

export async function stopReplay(dlq: DlqClient, id: string, options: JsonOption): Promise<void> {
  const job = await dlq.client.request<Job>('POST', `${dlq.path}/replay/${encodeURIComponent(id)}/stop`, { body: {} });
  printResult(
    options,
    job,
    () => `Stopped the replay ${job.id}: ${progressOf(job)}. What is back in the queue stays there.`,
  );
}

async function follow(dlq: DlqClient, started: Job, progress: ProgressLine, signal: AbortSignal): Promise<Job> {
  const startedAt = performance.now();
  let job = started;
  while (job.finished_at === null) {
    const rate = job.done / ((performance.now() - startedAt) / 1_000);
    const state = job.state === 'running' ? `${rate.toFixed(0)} a second` : job.state;
    progress.show(`${progressOf(job)}; ${state}${errorOf(job)}`);
    await delay(POLL_MS, undefined, { signal });
    job = await dlq.client.request<Job>('GET', `${dlq.path}/replay/${job.id}`);
  }
  return job;
}

function report(job: Job, options: JsonOption): void {
  printResult(options, job, () =>
    [
      `Replayed ${count(job.done, 'dead letter')}${ofTotal(job)}.`,
      ...(job.skipped > 0 ? [`Skipped ${job.skipped}: replayed or settled by something else meanwhile.`] : []),
      ...(job.failed > 0 ? [`Not replayed: ${job.failed}, expired or discarded.`] : []),
      ...(job.state === 'finished' ? [] : [`The replay ${job.id} is ${job.state}${errorOf(job)}.`]),
    ].join('\n'),
  );
  if (job.failed > 0 || job.state !== 'finished') process.exitCode = exitCodes.findings;
}

function goesOn(id: string): string {
  return (
    `The replay ${id} goes on in the workers.\n` +
    `  carillon dlq replay --status ${id}\n  carillon dlq replay --stop ${id}`
  );
}

function progressOf({ total, done, skipped, failed }: Job): string {
  return `${done.toLocaleString('en-US')}${ofTotal({ total })} done, ${skipped} skipped, ${failed} failed`;
}

function ofTotal({ total }: Pick<Job, 'total'>): string {
  return total === null ? '' : ` of ${total.toLocaleString('en-US')}`;
}

function errorOf({ error }: Job): string {
  return error === null ? '' : ` (${error.code}: ${error.message})`;
}
