import { type ChannelId, laneName, laneOf, notFound } from '#domain';
import type { Database } from '../../../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../../../page.js';
import type { Statement } from '../../../statement.js';
import { type AuditNote, auditInsert, noteValues } from '../../audit/audit-entry.js';
import {
  AUDIT_FIELDS,
  type LetterScope,
  REPLAY,
  type ReplayedLetter,
  refusalOf,
  replayValues,
} from './replay-letter.js';

export interface DeadLetter {
  id: string;
  tenantId: string;
  deliveryId: string;
  notificationId: string;
  recipientId: string;
  channel: ChannelId;
  provider: string | null;
  reason: string;
  code: string | null;
  detail: string | null;
  attempts: number;
  failedAt: Date;
  replayedAt: Date | null;
  /** The time when a receipt proved that the delivery was sent. */
  settledAt: Date | null;
}

export interface DeadLetterFilter {
  tenantId?: string | undefined;
  channel?: string | undefined;
  provider?: string | undefined;
  reason?: string | undefined;
  failedAfter?: Date | undefined;
  failedBefore?: Date | undefined;
  /** Neither replayed nor settled. */
  unreplayed?: boolean | undefined;
}

/** `isComplete` is false if there are more dead letters than were examined. The count is at least `count` then. */
export interface LetterCount {
  count: number;
  isComplete: boolean;
}

/** A count reads at most this many rows, which bounds its time, whatever the filter. */
const MAX_EXAMINED = 10_000;
/** Dead letters that a page of a replay reads at most: some ten milliseconds. */
const PAGE_EXAMINED = 2_000;

/** A page of a replay of all dead letters that match a filter. */
export interface ReplayPage {
  filter: DeadLetterFilter;
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
  /** The last id that was examined. */
  last: string;
  isLast: boolean;
}

/** Failed deliveries, of one tenant or of all. */
export class DeadLettersStore {
  constructor(
    private readonly database: Database,
    private readonly onDue: (lanes: string[]) => void,
  ) {}

  /** Newest first. Index: dead_letters_id_idx backwards, or dead_letters_pkey with a tenant. */
  async list(scope: LetterScope, filter: DeadLetterFilter, page: PageRequest): Promise<Page<DeadLetter>> {
    const { where, values } = conditionsOf(scope, filter, { 'id < ?::uuid': afterIdCursor(page.cursor) });
    values.push(page.limit + 1);
    const text = `${SELECT} ${where} order by id desc limit $${values.length}`;
    const rows = await this.query<DeadLetter>(scope, { text, values });
    return toPage(rows, page.limit, (row) => row.id);
  }

  /**
   * Examines at most {@link MAX_EXAMINED} dead letters, the newest of the tenant. Index: dead_letters_pkey backwards,
   * or dead_letters_open_idx if only unreplayed ones are counted.
   */
  async count(scope: LetterScope, filter: DeadLetterFilter): Promise<LetterCount> {
    const { tenantId, unreplayed, ...others } = filter;
    const examined = conditionsOf(scope, { tenantId, unreplayed });
    const matching = conditionsOf(null, others, {}, examined.values);
    const text = `
      select least(count(*) filter (${matching.where}), ${MAX_EXAMINED})::float8 as count,
             count(*) <= ${MAX_EXAMINED} as "isComplete"
      from (
        select channel, provider, reason, failed_at from dead_letters ${examined.where}
        order by tenant_id desc, id desc limit ${MAX_EXAMINED + 1}
      ) l`;
    const [row] = await this.query<LetterCount>(scope, { text, values: matching.values });
    return row!;
  }

  /** Index: dead_letters_id_idx. */
  async get(scope: LetterScope, id: string): Promise<DeadLetter | null> {
    const text = `${SELECT} where id = $1 and ($2::uuid is null or tenant_id = $2)`;
    const [letter] = await this.query<DeadLetter>(scope, { text, values: [id, scope] });
    return letter ?? null;
  }

  /**
   * Puts the delivery back into the queue, once, with its retries counted from zero. Throws `not_found`,
   * `already_replayed`, or `conflict` if the delivery is not failed any more or has expired.
   */
  async replay(scope: LetterScope, id: string, audit: AuditNote | null): Promise<DeadLetter> {
    const [letter] = await this.query<ReplayedLetter>(scope, {
      text: REPLAY,
      values: replayValues(scope, id, audit),
    });
    if (!letter) throw notFound('dead letter', id);
    if (!letter.replayed) throw refusalOf(id, letter);
    const lane = laneName(letter.channel, laneOf(letter.priority));
    this.onDue([lane]);
    return (await this.get(scope, id))!;
  }

  /**
   * The next dead letters of a replay, in the order of their ids. Includes those that this replay has replayed: a chunk
   * that is repeated after its worker was lost counts them again. Examines at most {@link PAGE_EXAMINED}.
   * Index: dead_letters_pkey.
   */
  async toReplay(tenantId: string, { filter, requestedAt, after, limit }: ReplayPage): Promise<LettersToReplay> {
    const { where, values } = conditionsOf(
      null,
      { ...filter, unreplayed: undefined },
      {
        'failed_at <= ?': requestedAt,
        'settled_at is null and (replayed_at is null or replayed_at >= ?)': requestedAt,
      },
    );
    const add = (value: unknown): string => `$${values.push(value)}`;
    const [tenant, from, examined, most] = [add(tenantId), add(after), add(PAGE_EXAMINED), add(limit)];
    const text = `
with seen as materialized (
  select * from dead_letters where tenant_id = ${tenant} and id > ${from} order by id limit ${examined}
)
select array(select id from seen ${where} order by id limit ${most}) as ids, (select count(*) from seen) as count,
       (select id from seen order by id desc limit 1) as last`;
    const [row] = await this.query<{ ids: string[]; count: number; last: string | null }>(tenantId, { text, values });
    const { ids, count, last } = row!;
    if (ids.length === limit) return { ids, last: ids.at(-1)!, isLast: false };
    return { ids, last: last ?? after, isLast: count < PAGE_EXAMINED };
  }

  /**
   * Dead letters of one endpoint since a time, neither replayed nor settled, oldest first. Index: dead_letters_pkey.
   */
  async ofEndpoint(tenantId: string, endpointId: string, since: Date, limit: number): Promise<string[]> {
    const rows = await this.database.platform.query<{ id: string }>({
      text: `select id from dead_letters
             where tenant_id = $1 and channel = 'webhook' and recipient_id = $2 and failed_at >= $3
               and replayed_at is null and settled_at is null
             order by id limit $4`,
      values: [tenantId, endpointId, since, limit],
    });
    return rows.map(({ id }) => id);
  }

  /** Discards the entry; the delivery stays failed. */
  async delete(scope: LetterScope, id: string, audit: AuditNote | null): Promise<boolean> {
    const rows = await this.query(scope, { text: DISCARD, values: [id, ...noteValues(audit), scope] });
    return rows.length > 0;
  }

  private async query<Row extends object>(scope: LetterScope, statement: Statement): Promise<Row[]> {
    return scope === null
      ? await this.database.platform.query<Row>(statement)
      : await this.database.queryForTenant<Row>(scope, statement);
  }
}

/**
 * `more`: further conditions with their values; those without a value are left out. `before`: the values of an earlier
 * part of the statement.
 */
function conditionsOf(
  scope: LetterScope,
  filter: DeadLetterFilter,
  more: Record<string, unknown> = {},
  before: readonly unknown[] = [],
): { where: string; values: unknown[] } {
  const values: unknown[] = [...before];
  const conditions: string[] = [];
  const add = (condition: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    values.push(value);
    conditions.push(condition.replace('?', `$${values.length}`));
  };
  for (const [condition, value] of Object.entries(more)) add(condition, value);
  add('tenant_id = ?::uuid', scope);
  add('tenant_id = ?::uuid', filter.tenantId);
  add('channel = ?', filter.channel);
  add('provider = ?', filter.provider);
  add('reason = ?', filter.reason);
  add('failed_at > ?', filter.failedAfter);
  add('failed_at < ?', filter.failedBefore);
  // Not compared with a parameter, so that the condition is that of dead_letters_open_idx.
  if (filter.unreplayed !== undefined) conditions.push(filter.unreplayed ? OPEN : `not (${OPEN})`);
  return { where: `where ${conditions.join(' and ') || 'true'}`, values };
}

const OPEN = 'replayed_at is null and settled_at is null';

const SELECT = `
select id, tenant_id as "tenantId", delivery_id as "deliveryId", notification_id as "notificationId",
       recipient_id as "recipientId", channel, provider, reason, code, detail, attempts, failed_at as "failedAt",
       replayed_at as "replayedAt", settled_at as "settledAt"
from dead_letters`;

/** Index: dead_letters_id_idx. */
const DISCARD = `
with discarded as (
  delete from dead_letters where id = $1 and ($7::uuid is null or tenant_id = $7)
  returning tenant_id, id, delivery_id, channel
), audit_entries as (
  ${auditInsert(2, `select tenant_id, id::text, ${AUDIT_FIELDS}, null::jsonb from discarded`)}
)
select id from discarded`;
