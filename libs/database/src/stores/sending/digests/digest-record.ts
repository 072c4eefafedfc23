// The parts of the record statement that end the items of a digest with their leader (docs/adr/0030).

import type { RecordParts } from '../record-parts.js';

/** The order in which all statements lock digests `g`: that of the index on which COLLECT inserts and updates. */
export const DIGEST_LOCK_ORDER = 'g.tenant_id, g.recipient_id, g.channel, g.category, g.id';

/**
 * Whether the outcome `e` concerns only the item that leads a digest, and not the digest: it expired, or its own
 * content was deleted. A trigger makes another item the leader.
 */
const ENDS_ALONE = `(e.attempt is null
      and (e.state = 'expired' or coalesce(e.code in ('unknown_template', 'unknown_content'), false)))`;

/**
 * Whether the due row `q` can be cancelled: its send has not begun. The items that a worker has put into the message of
 * a digest have its claim, and it is too late for them; the leader can be cancelled until its send begins.
 */
export const IS_CANCELLABLE = `not q.sending
    and (q.digest_id is null or q.claim_id is null or q.due_at < 'infinity')`;

/**
 * Locks the digests of some deliveries, before their due rows: a trigger may have to choose other leaders. `ids` (SQL)
 * selects delivery ids; $1 is the tenant. Read it as `(select count(*) from locked_digests) >= 0`. Indexes:
 * due_deliveries_pkey, digests_pkey.
 */
export const lockedDigests = (ids: string): string => `locked_digests as materialized (
  select g.id from digests g where g.tenant_id = $1 and g.id = any (array(
    select q.digest_id from due_deliveries q
    where q.tenant_id = $1 and q.delivery_id = any (array(${ids})) and q.digest_id is not null))
  order by ${DIGEST_LOCK_ORDER} for update
)`;

/**
 * For RETURNING of a statement that deletes due rows `q` without their claim, after `locked_digests`. Fails with a
 * conflict if `q` became an item of another digest while the statement waited for the row: the trigger would lock that
 * digest after the row. Nothing is written then; run the statement again.
 */
export const REQUIRE_LOCKED_DIGEST = `carillon_require_locked_digest(
    q.digest_id, array(select id from locked_digests)) as is_digest_locked`;

/** A UUIDv7 with the time of the leader's row: lists are in order of id. */
const ROW_ID = '(left(row_id::text, 15) || substr(gen_random_uuid()::text, 16))::uuid';

/**
 * The columns of an item's record that differ from its leader's. The message, its attempt, the inbox item and what the
 * send revealed about the address are the leader's.
 */
const OWN_COLUMNS: Readonly<Record<string, string>> = {
  delivery_id: 'member_id',
  attempt: 'null::smallint',
  attempt_outcome: 'null',
  provider_message_id: 'null',
  row_id: ROW_ID,
  log_code: "coalesce(log_code, 'digest')",
  detail: "'in the digest of delivery ' || delivery_id",
  title: 'null',
  gone_devices: 'null',
  suppress_address: 'null',
};

/** The columns that the record statement needs of a deleted due row besides those of `input`, and an item's own. */
const MORE =
  'attempts, had_unknown_send, sending_provider, sending_account_id, lane, expires_at, message_key, traceparent';
const OWN_MORE = 'member_attempts, false, null, null, lane, expires_at, message_key, traceparent';

/**
 * `names`: the columns of `input`. `first`: the first of two parameters, the tenants and the ids of the digests.
 *
 * While the message waits for another attempt, its items can be cancelled: their claim is taken back.
 *
 * Lock order: digests before due_deliveries. Indexes: digests_pkey, due_deliveries_pkey, due_deliveries_digest_idx.
 */
export function digestMembers(names: string, first: number): Omit<RecordParts, 'inserts' | 'added'> {
  const own = names.split(', ').map((name) => OWN_COLUMNS[name] ?? name);
  return {
    before: `locked_digests as materialized (
  select g.id from unnest($${first}::uuid[], $${first + 1}::uuid[]) as w(tenant_id, id)
  join digests g on g.tenant_id = w.tenant_id and g.id = w.id
  order by ${DIGEST_LOCK_ORDER} for update of g
), `,
    // No leader has an ordering key. The parameter must be used, so that the server knows its type.
    isLocked: `(select count(*) from locked_digests) >= 0 and cardinality($${first - 1}::integer[]) = 0`,
    deleted: 'deleted_leaders',
    returning: ', d.digest_id',
    members: `deleted_members as materialized (
  delete from due_deliveries m using deleted_leaders e
  where m.tenant_id = e.tenant_id and m.digest_id = e.digest_id and m.delivery_id <> e.delivery_id
    and not ${ENDS_ALONE}
  returning e.*, m.delivery_id as member_id, m.attempt as member_attempts
), deleted_due_rows as materialized (
  select ${names}, ${MORE} from deleted_leaders
  union all
  select ${own.join(', ')}, ${OWN_MORE} from deleted_members
), released_members as (
  update due_deliveries m set claim_id = null
  from input i join due_deliveries l on l.tenant_id = i.tenant_id and l.delivery_id = i.delivery_id
  where i.state is null and l.claim_id = i.claim_id and m.tenant_id = l.tenant_id and m.digest_id = l.digest_id
    and m.delivery_id <> l.delivery_id and m.claim_id is not null
), `,
  };
}
