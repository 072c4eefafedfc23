// The statements that read pages of dead letters. Each examines a limited number, however few match its filters.

import { afterIdCursor, type PageRequest } from '../../../page.js';
import type { Statement } from '../../../statement.js';
import { conditionsOf, type DeadLetterFilter, OPEN } from './letter-conditions.js';
import type { LetterScope } from './replay-letter.js';

/** A count or a page of a list examines at most this many dead letters: some ten milliseconds. */
export const MAX_EXAMINED = 10_000;
/** Dead letters that a chunk of a replay examines at most. */
const PAGE_EXAMINED = 2_000;

/** The columns of a dead letter, from the table or from rows of it. */
export const LETTER_COLUMNS = `id, tenant_id as "tenantId", delivery_id as "deliveryId",
       notification_id as "notificationId", recipient_id as "recipientId", channel, provider, reason, code, detail,
       attempts, failed_at as "failedAt", replayed_at as "replayedAt", settled_at as "settledAt"`;

/**
 * One page, newest first, with at least one row. A row without a dead letter (`id` is null) only says how far the
 * search came: `examinedTo` is the last id that was examined, null if the page is full or nothing is left. The
 * examined rows are read one by one until the page is full. Indexes, backwards: dead_letters_pkey of a tenant,
 * dead_letters_open_idx of a tenant if only unreplayed ones are listed, dead_letters_id_idx of all tenants.
 */
export function listStatement(scope: LetterScope, filter: DeadLetterFilter, page: PageRequest): Statement {
  const { tenantId, unreplayed, ...others } = filter;
  const isIndexed = (scope ?? tenantId) !== undefined && unreplayed === true;
  const examined = conditionsOf(
    scope,
    { tenantId, ...(isIndexed && { unreplayed }) },
    { 'id < ?::uuid': afterIdCursor(page.cursor) },
  );
  const matching = conditionsOf(null, isIndexed ? others : { ...others, unreplayed }, {}, examined.values);
  const limit = matching.values.push(page.limit + 1);
  const text = `
with page as materialized (
  select * from (
    select * from dead_letters where ${examined.where} order by id desc limit ${MAX_EXAMINED}
  ) examined
  where ${matching.where} order by id desc limit $${limit}
)
select case when (select count(*) from page) < $${limit} then (
         select id from dead_letters where ${examined.where} order by id desc offset ${MAX_EXAMINED - 1} limit 1
       ) end as "examinedTo", ${LETTER_COLUMNS}
from (select) always left join page on true
order by id desc`;
  return { text, values: matching.values };
}

/** Index: dead_letters_pkey backwards, or dead_letters_open_idx if only unreplayed ones are counted. */
export function countStatement(scope: LetterScope, filter: DeadLetterFilter): Statement {
  const { tenantId, unreplayed, ...others } = filter;
  const examined = conditionsOf(scope, { tenantId, unreplayed });
  const matching = conditionsOf(null, others, {}, examined.values);
  const text = `
    select least(count(*) filter (where ${matching.where}), ${MAX_EXAMINED})::float8 as count,
           count(*) <= ${MAX_EXAMINED} as "isComplete"
    from (
      select channel, provider, reason, code, failed_at from dead_letters where ${examined.where}
      order by tenant_id desc, id desc limit ${MAX_EXAMINED + 1}
    ) l`;
  return { text, values: matching.values };
}

/** A page of a replay of all dead letters that match a filter. */
export interface ReplayPage {
  filter: DeadLetterFilter;
  job: string;
  /** When the replay was requested. Later failures are not replayed, those of replayed deliveries neither. */
  requestedAt: Date;
  /** `last` of the page before. */
  after: string;
  /** The most ids to return. */
  limit: number;
}

export interface LettersToReplay {
  /** May be empty although later pages have some. */
  ids: string[];
  /** Those that this job has replayed: a chunk is repeated after its worker was lost. */
  repeated: number;
  /** Those that something else has replayed or settled since the replay was requested. */
  skipped: number;
  /** The last id that was examined; null if there was none. */
  last: string | null;
  isLast: boolean;
}

/**
 * The next dead letters of a replay, in the order of their ids, which is that of their failures: of several tenants
 * none has to wait for all letters of another. Indexes: dead_letters_pkey of a tenant, dead_letters_id_idx of all.
 */
export function toReplayStatement(scope: LetterScope, page: ReplayPage): Statement {
  const { tenantId, unreplayed: _all, ...others } = page.filter;
  const examined = conditionsOf(scope, { tenantId }, { 'id > ?::uuid': page.after });
  const wanted = {
    'failed_at <= ?': page.requestedAt,
    '(replayed_at is null or replayed_at >= ?) and (settled_at is null or settled_at >= ?)': page.requestedAt,
  };
  const matching = conditionsOf(null, others, wanted, examined.values);
  const at = matching.values.push(page.limit, page.job);
  const [limit, job] = [`$${at - 1}`, `$${at}`];
  const text = `
with seen as materialized (
  select * from dead_letters where ${examined.where} order by id limit ${PAGE_EXAMINED}
), matching as materialized (
  select id, replay_job, ${OPEN} as is_open from seen where ${matching.where}
), waiting as materialized (
  select id from matching where is_open order by id limit ${limit}
), counts as materialized (
  select (select count(*) from seen) as seen, (select count(*) from waiting) as waiting
), place as materialized (
  select case when waiting = ${limit} then (select id from waiting order by id desc limit 1)
              else (select id from seen order by id desc limit 1) end as last
  from counts
)
select array(select id from waiting order by id) as ids, p.last,
       c.waiting < ${limit} and c.seen < ${PAGE_EXAMINED} as "isLast",
       (select count(*) from matching m where not is_open and id <= p.last and replay_job = ${job}::uuid)::integer
         as repeated,
       (select count(*) from matching m where not is_open and id <= p.last
          and replay_job is distinct from ${job}::uuid)::integer as skipped
from counts c, place p`;
  return { text, values: matching.values };
}
