import { lowestId, NIL_ID } from '#domain';
import type { Database } from '../../database.js';
import { EVENTS_KEPT_DAYS } from '../sending/events.store.js';
import { type Batch, CleanUp } from './clean-up.js';

/**
 * Deletes rows that expire after the same time for all tenants: idempotency keys, used tokens, revocations of tokens,
 * sessions of the console, rate limiter windows, poison messages, unpublished events, shared contents without a
 * notification, lines of uploads without a job, and the subscriptions of deleted topics.
 */
export class ExpiredRowsStore {
  readonly cleanUps: readonly CleanUp[];

  constructor(private readonly database: Database) {
    // These are read in order of their keys: every send would have to update an index on the end of a window, and no
    // column shows when the last notification of a shared content, or the job of a line, is deleted.
    const windows = this.sweeping(RATE_WINDOWS, '');
    const sharedContents = this.sweeping(SHARED_CONTENTS, NIL_ID);
    const lines = this.sweeping(LINES_WITHOUT_JOB, NIL_ID, () => [lowestId(Date.now() - LONGEST_UPLOAD_MS)]);
    this.cleanUps = [
      new CleanUp('idempotency_keys', () => once(this.deleting(IDEMPOTENCY_KEYS))),
      new CleanUp('poison_messages', () => once(this.deleting(POISON_MESSAGES))),
      new CleanUp('used_tokens', () => once(this.deleting(USED_TOKENS))),
      new CleanUp('token_revocations', () => once(this.deleting(TOKEN_REVOCATIONS))),
      new CleanUp('console_sessions', () => once(this.deleting(CONSOLE_SESSIONS))),
      new CleanUp('delivery_statistics', () => once(this.deleting(MINUTES))),
      new CleanUp('delivery_statistics', () => once(this.deleting(HOURS))),
      new CleanUp('delivery_statistics', () => once(this.deleting(DAYS))),
      new CleanUp('rate_windows', () => once(windows)),
      new CleanUp('shared_contents', () => once(sharedContents)),
      new CleanUp('job_lines', () => once(lines)),
      new CleanUp('subscriptions', () => once(this.deleting(SUBSCRIPTIONS_OF_DELETED_TOPICS))),
      new CleanUp('topics', () => once(this.deleting(DELETED_TOPICS))),
      // RetentionStore deletes the events that are kept for endpoints.
      new CleanUp('events', () => once(this.deleting(UNPUBLISHED_EVENTS))),
    ];
  }

  private deleting(text: string): Batch {
    return async (size) => {
      const [row] = await this.database.platform.query<{ count: number }>({ text, values: [size] });
      return { deleted: row!.count, done: row!.count < size };
    };
  }

  /** Reads a table in order of its primary key, from the end of the last batch on. `more`: values from $4 on. */
  private sweeping(text: string, firstKey: string, more: () => unknown[] = () => []): Batch {
    const first = { tenant: NIL_ID, key: firstKey };
    let after = first;
    return async (size) => {
      const [row] = await this.database.platform.query<{ deleted: number; seen: number; tenant: string; key: string }>({
        text,
        values: [after.tenant, after.key, size, ...more()],
      });
      const done = row!.seen < size;
      after = done ? first : { tenant: row!.tenant, key: row!.key };
      return { deleted: row!.deleted, done };
    };
  }
}

async function* once(batch: Batch): AsyncGenerator<Batch> {
  yield batch;
}

/** Skips locked rows, which the next run deletes, so that a clean-up never waits for a lock. */
const deleteFrom = (table: string, rows: string): string => `
with deleted as (
  delete from ${table} where ctid = any (array(select ctid from ${table} where ${rows} limit $1 for update skip locked))
  returning 1
)
select count(*) as count from deleted`;

/** Index: idempotency_keys_created_at_idx. */
const IDEMPOTENCY_KEYS = deleteFrom('idempotency_keys', `created_at < now() - interval '48 hours' order by created_at`);

/** Index: poison_messages_created_at_idx. */
const POISON_MESSAGES = deleteFrom('poison_messages', `created_at < now() - interval '30 days' order by created_at`);

/** Minutes are kept for a day, hours and days for a year. Index: delivery_statistics_at_idx. */
const MINUTES = deleteFrom('delivery_statistics', `span = 1 and at < now() - interval '26 hours' order by at`);
const HOURS = deleteFrom('delivery_statistics', `span = 60 and at < now() - interval '400 days' order by at`);
const DAYS = deleteFrom('delivery_statistics', `span = 1440 and at < now() - interval '401 days' order by at`);

/** Index: used_tokens_expires_at_idx. */
const USED_TOKENS = deleteFrom('used_tokens', 'expires_at < now() order by expires_at');

/** A token lives one hour at most; another hour for clocks that differ. Index: token_revocations_revoked_at_idx. */
const TOKEN_REVOCATIONS = deleteFrom(
  'token_revocations',
  `revoked_at < now() - interval '2 hours' order by revoked_at`,
);

/** Index: console_sessions_expires_at_idx. */
const CONSOLE_SESSIONS = deleteFrom('console_sessions', 'expires_at < now() order by expires_at');

/**
 * Events for a broker that is no longer configured. Index: events_broker_idx, in which the oldest come first, so that a
 * batch reads few younger rows.
 */
const UNPUBLISHED_EVENTS = deleteFrom(
  'events',
  `broker and seq in (
    select seq from (select seq, created_at from events where broker order by seq limit $1) oldest
    where created_at < now() - interval '${EVENTS_KEPT_DAYS} days')`,
);

/** Twice the time that an upload may take. Its job is created at its end. */
const LONGEST_UPLOAD_MS = 3_600_000;

/**
 * Lines of uploads that broke off, and of jobs that have been deleted. Reads one line of each of the next jobs. If it
 * deletes as many lines as it may, it stays at its position, because these jobs may have more. $4: the id of a job that
 * is too young. Indexes: job_lines_pkey, jobs_pkey.
 */
const LINES_WITHOUT_JOB = `
with recursive walk (tenant_id, job_id, step) as (
  (select tenant_id, job_id, 1 from job_lines
   where (tenant_id, job_id) > ($1::uuid, $2::uuid) order by tenant_id, job_id limit 1)
  union all
  select n.tenant_id, n.job_id, w.step + 1 from walk w cross join lateral (
    select l.tenant_id, l.job_id from job_lines l
    where (l.tenant_id, l.job_id) > (w.tenant_id, w.job_id) order by l.tenant_id, l.job_id limit 1
  ) n where w.step < $3::integer
), without_job as materialized (
  select w.tenant_id, w.job_id from walk w
  where w.job_id < $4::uuid
    and (select 1 from jobs j where j.tenant_id = w.tenant_id and j.id = w.job_id) is null
), deleted as (
  delete from job_lines where ctid = any (array(
    select l.ctid from without_job w cross join lateral (
      select x.ctid from job_lines x where x.tenant_id = w.tenant_id and x.job_id = w.job_id limit $3
    ) l limit $3))
  returning 1
)
select d.count as deleted, case when d.count = $3 then d.count else (select count(*) from walk) end as seen,
       coalesce(last.tenant_id, $1::uuid) as tenant, coalesce(last.job_id, $2::uuid) as key
from (select count(*) from deleted) d
left join lateral (select tenant_id, job_id from walk where d.count < $3 order by step desc limit 1) last on true`;

/** Indexes: topics_deleted_at_idx, subscriptions_pkey. */
const SUBSCRIPTIONS_OF_DELETED_TOPICS = `
with deleted as (
  delete from subscriptions where ctid = any (array(
    select s.ctid from topics t
    cross join lateral (
      select x.ctid from subscriptions x where x.tenant_id = t.tenant_id and x.topic_id = t.id limit $1
    ) s
    where t.deleted_at is not null limit $1))
  returning 1
)
select count(*) as count from deleted`;

/** After their subscriptions. Index: topics_deleted_at_idx. */
const DELETED_TOPICS = deleteFrom(
  'topics',
  `deleted_at is not null and not exists (
    select from subscriptions s where s.tenant_id = topics.tenant_id and s.topic_id = topics.id)
  order by deleted_at`,
);

/** Index: rate_windows_pkey. */
const RATE_WINDOWS = `
with seen as materialized (
  select tenant_id, key, expires_at from rate_windows
  where (tenant_id, key) > ($1::uuid, $2::text) order by tenant_id, key limit $3
), expired as materialized (
  select w.tenant_id, w.key from seen s cross join lateral (
    select w.tenant_id, w.key from rate_windows w
    where w.tenant_id = s.tenant_id and w.key = s.key and w.expires_at < now()
    for update skip locked
  ) w where s.expires_at < now()
), deleted as (
  delete from rate_windows w using expired e where w.tenant_id = e.tenant_id and w.key = e.key returning 1
)
select (select count(*) from deleted) as deleted, (select count(*) from seen) as seen, last.tenant_id as tenant,
       last.key
from (select 1) one
left join lateral (select tenant_id, key from seen order by tenant_id desc, key desc limit 1) last on true`;

/**
 * A bulk call inserts its shared content before its notifications and ends within seconds: a row older than an hour
 * gets no further notification. Indexes: shared_contents_pkey, notifications_shared_content_id_tenant_id_idx.
 */
const SHARED_CONTENTS = `
with seen as materialized (
  select tenant_id, id, created_at from shared_contents
  where (tenant_id, id) > ($1::uuid, $2::uuid) order by tenant_id, id limit $3
), unused as materialized (
  select s.tenant_id, s.id from seen s
  where s.created_at < now() - interval '1 hour'
    and (select 1 from notifications n where n.shared_content_id = s.id and n.tenant_id = s.tenant_id limit 1) is null
), deleted as (
  delete from shared_contents c using unused u where c.tenant_id = u.tenant_id and c.id = u.id returning 1
)
select (select count(*) from deleted) as deleted, (select count(*) from seen) as seen, last.tenant_id as tenant,
       last.id as key
from (select 1) one
left join lateral (select tenant_id, id from seen order by tenant_id desc, id desc limit 1) last on true`;
