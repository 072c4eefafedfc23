import type {
  Carillon,
  DeadLetterReplaysStartData,
  TenantDeadLettersCountResponse,
  TenantDeadLettersGetResponse,
  TenantDeadLettersReplayAllResponse,
} from '#client';
import { type Job, type JobCalls, operatorReplays, tenantReplays } from '../../job/job-calls';
import type { ListPage, ListQuery } from '../../list/list';

/** The operator's dead letters name their tenant. */
export type DeadLetter = TenantDeadLettersGetResponse & { tenant_id?: string };
export type DeadLetterCount = TenantDeadLettersCountResponse;
type Replay = DeadLetterReplaysStartData['body'];
/** By the names of the query parameters. */
export type Filter = Record<string, string>;

/** The same routes exist for a tenant, and for the operator over all tenants. */
export interface DeadLetterCalls {
  isOperator: boolean;
  jobs: JobCalls;
  list(carillon: Carillon, query: ListQuery): Promise<ListPage<DeadLetter>>;
  count(carillon: Carillon, query: Filter): Promise<DeadLetterCount>;
  get(carillon: Carillon, id: string): Promise<DeadLetter>;
  discard(carillon: Carillon, id: string): Promise<unknown>;
  replay(carillon: Carillon, id: string): Promise<DeadLetter>;
  replayAll(carillon: Carillon, body: Replay): Promise<TenantDeadLettersReplayAllResponse>;
  replays(carillon: Carillon, query: ListQuery): Promise<ListPage<Job>>;
}

export const tenantDeadLetters: DeadLetterCalls = {
  isOperator: false,
  jobs: tenantReplays,
  list: (carillon, query) => carillon.tenantDeadLetters.list({ query }),
  count: (carillon, query) => carillon.tenantDeadLetters.count({ query }),
  get: (carillon, id) => carillon.tenantDeadLetters.get({ path: { id } }),
  discard: (carillon, id) => carillon.tenantDeadLetters.delete({ path: { id } }),
  replay: (carillon, id) => carillon.tenantDeadLetters.replay({ path: { id } }),
  replayAll: (carillon, body) => carillon.tenantDeadLetters.replayAll({ body }),
  replays: (carillon, query) => carillon.jobs.list({ query: { ...query, kind: 'dead_letter_replay' } }),
};

export const operatorDeadLetters: DeadLetterCalls = {
  isOperator: true,
  jobs: operatorReplays,
  list: (carillon, query) => carillon.deadLetters.list({ query }),
  count: (carillon, query) => carillon.deadLetters.count({ query }),
  get: (carillon, id) => carillon.deadLetters.get({ path: { id } }),
  discard: (carillon, id) => carillon.deadLetters.delete({ path: { id } }),
  replay: (carillon, id) => carillon.deadLetters.replay({ path: { id } }),
  replayAll: (carillon, body) => carillon.deadLetterReplays.start({ body }),
  replays: (carillon, query) => carillon.deadLetterReplays.list({ query }),
};

export async function countMatches(carillon: Carillon, calls: DeadLetterCalls, filter: Filter) {
  const answer = await calls.replayAll(carillon, { filter: bodyFilter(filter), dry_run: true });
  if (!('dry_run' in answer)) throw new Error('The dry run started a replay');
  return answer;
}

export async function startReplay(
  carillon: Carillon,
  calls: DeadLetterCalls,
  { filter, pace }: { filter: Filter; pace: number | null },
): Promise<Job> {
  const answer = await calls.replayAll(carillon, { filter: bodyFilter(filter), rate_per_second: pace });
  if ('dry_run' in answer) throw new Error('The replay was counted, and not started');
  return answer;
}

/** A replay takes only what was not replayed yet, so it has no such filter. The API checks the values. */
function bodyFilter({ unreplayed: _, ...filter }: Filter): Replay['filter'] {
  return filter as Replay['filter'];
}

/** `12`, or `at least 10,000` where the API stopped to count. */
export function countInWords({ count, at_least }: DeadLetterCount): string {
  const number = count.toLocaleString();
  return at_least ? `at least ${number}` : number;
}
