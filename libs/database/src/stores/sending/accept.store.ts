import { type AddressSource, type ChannelId, DomainError, laneOf } from '#domain';
import { Batcher } from '../../batcher.js';
import { columns, json } from '../../columns.js';
import type { Database } from '../../database.js';
import type { Notification } from './notification.js';

/** A profile that came with a send: what it names is replaced, what it does not name is kept. */
export interface RecipientUpsert {
  id: string;
  email?: string | null;
  phone?: string | null;
  locale?: string | null;
  timezone?: string | null;
  attributes?: Record<string, unknown>;
}

/** Everything one accepted request writes. */
export interface Acceptance {
  notification: Notification;
  deliveries: {
    id: string;
    channel: ChannelId;
    /** Given with the send. */
    address: string | null;
    /** The part of the stored profile that must be there for this delivery, or null when nothing must. */
    addressFrom: AddressSource | null;
  }[];
  recipient: RecipientUpsert | null;
  /** SHA-256 of the canonical body, hexadecimal. */
  idempotency: { key: string; bodyHash: string } | null;
  /** W3C trace context of the request: what its deliveries are logged and carried with. */
  traceparent: string | null;
}

export type Accepted =
  | { kind: 'accepted'; createdAt: Date }
  /** The key was used before with the same body, for this notification. */
  | { kind: 'replayed'; notificationId: string }
  /** Nothing was written: the stored profile lacks an address for these channels. */
  | { kind: 'no_address'; channels: ChannelId[] };

type FlushResult =
  | { createdAt: Date }
  | { existing: { notificationId: string | null; bodyHash: string } }
  | { lacking: ChannelId[] };

const MAX_BATCH = 256;

/**
 * The one commit behind a 202: notification, deliveries, due rows, inline profiles and idempotency keys of all requests
 * that wait at the moment, in one statement. Runs as the platform because the requests are of many tenants; every row
 * carries the tenant of the key that asked.
 */
export class AcceptStore {
  private readonly batcher: Batcher<Acceptance, FlushResult>;

  constructor(
    private readonly database: Database,
    /** Told after each commit which lanes have something due now, as `channel:lane`. */
    private readonly onDue: (lanes: string[]) => void,
    // One statement at a time makes the largest batches: 11.2k requests a second against 9.8k with two and 9.6k with three.
    limits: { slots: number; maxQueue: number } = { slots: 1, maxQueue: 5_000 },
  ) {
    this.batcher = new Batcher({ flush: (batch) => this.write(batch), maxBatch: MAX_BATCH, ...limits });
  }

  /**
   * Commits one request. Throws `idempotency_mismatch` when its key was used with another body, `conflict` when the key
   * belongs to a request of another kind, `unavailable` when nothing could be committed.
   */
  async accept(acceptance: Acceptance): Promise<Accepted> {
    return settle(acceptance, await this.batcher.run(acceptance));
  }

  /** Commits many requests of one call in one transaction; each ends as it would alone. */
  async acceptAll(acceptances: Acceptance[]): Promise<(Accepted | DomainError)[]> {
    const results = await this.write(acceptances);
    return acceptances.map((acceptance, index) => {
      try {
        return settle(acceptance, results[index]!);
      } catch (error) {
        if (error instanceof DomainError) return error;
        throw error;
      }
    });
  }

  private async write(batch: Acceptance[]): Promise<FlushResult[]> {
    const deliveries = batch.flatMap((acceptance, index) =>
      acceptance.deliveries.map((delivery) => ({ delivery, index: index + 1 })),
    );
    const upserts = batch.flatMap(({ notification, recipient }, index) =>
      recipient ? [{ tenantId: notification.tenantId, recipient, index: index + 1 }] : [],
    );
    const values = [
      ...columns(batch, notificationFields),
      ...columns(deliveries, [
        (row) => row.index,
        (row) => row.delivery.id,
        (row) => row.delivery.channel,
        (row) => row.delivery.address,
        (row) => row.delivery.addressFrom,
      ]),
      ...columns(upserts, [
        (row) => row.index,
        (row) => row.recipient.id,
        (row) => row.recipient.email ?? null,
        (row) => row.recipient.phone ?? null,
        (row) => row.recipient.locale ?? null,
        (row) => row.recipient.timezone ?? null,
        (row) => json(row.recipient.attributes),
      ]),
    ];
    const rows = await this.database.platform.query<{
      ord: number;
      created_at: Date | null;
      lacking: ChannelId[] | null;
    }>({ name: 'accept', text: ACCEPT, values });
    const results: (FlushResult | undefined)[] = new Array(batch.length);
    for (const row of rows)
      results[row.ord - 1] = row.created_at ? { createdAt: row.created_at } : { lacking: row.lacking! };

    const refused = batch.flatMap((acceptance, index) => (results[index] ? [] : [{ acceptance, index }]));
    if (refused.length > 0) {
      const existing = await this.existingKeys(refused.map(({ acceptance }) => acceptance));
      refused.forEach(({ index }, at) => {
        results[index] = { existing: existing[at]! };
      });
    }
    const due = batch.filter((acceptance, index) => 'createdAt' in results[index]! && !isLater(acceptance));
    const lanes = new Set(
      due.flatMap(({ notification, deliveries: made }) =>
        made.map(({ channel }) => `${channel}:${laneOf(notification.priority)}`),
      ),
    );
    if (lanes.size > 0) this.onDue([...lanes]);
    return results as FlushResult[];
  }

  private async existingKeys(batch: Acceptance[]): Promise<{ notificationId: string | null; bodyHash: string }[]> {
    const rows = await this.database.platform.query<{ ord: number; notification_id: string | null; body_hash: string }>(
      {
        name: 'existing_keys',
        text: `select i.ord::int as ord, k.notification_id, encode(k.body_hash, 'hex') as body_hash
             from unnest($1::uuid[], $2::text[]) with ordinality as i(tenant_id, key, ord)
             join idempotency_keys k on k.tenant_id = i.tenant_id and k.key = i.key`, // index: idempotency_keys_pkey
        values: columns(batch, [(row) => row.notification.tenantId, (row) => row.idempotency!.key]),
      },
    );
    const found = new Map(
      rows.map((row) => [row.ord - 1, { notificationId: row.notification_id, bodyHash: row.body_hash }]),
    );
    return batch.map((_, index) => {
      const key = found.get(index);
      // Deleted between the two statements: it had just grown too old. The caller tries again.
      if (!key)
        throw new DomainError('unavailable', 'The idempotency key expired at this moment. Try again.', {
          retryAfterSeconds: 1,
        });
      return key;
    });
  }
}

function settle({ idempotency }: Acceptance, result: FlushResult): Accepted {
  if ('createdAt' in result) return { kind: 'accepted', createdAt: result.createdAt };
  if ('lacking' in result) return { kind: 'no_address', channels: result.lacking };
  const { notificationId, bodyHash } = result.existing;
  if (bodyHash !== idempotency!.bodyHash || notificationId === null) {
    throw new DomainError(
      'idempotency_mismatch',
      `The idempotency key ${JSON.stringify(idempotency!.key)} was used before with another body.`,
    );
  }
  return { kind: 'replayed', notificationId };
}

function isLater({ notification }: Acceptance): boolean {
  return notification.scheduledAt !== null && notification.scheduledAt.getTime() > Date.now();
}

const notificationFields: ((row: Acceptance) => unknown)[] = [
  (row) => row.notification.tenantId,
  (row) => row.notification.id,
  (row) => row.notification.recipientId,
  (row) => row.notification.type,
  (row) => row.notification.category,
  // unnest would flatten an array of arrays.
  (row) => row.notification.channels.join(','),
  (row) => row.notification.templateId,
  (row) => json(row.notification.content),
  (row) => json(row.notification.payload),
  (row) => row.notification.priority,
  (row) => laneOf(row.notification.priority),
  (row) => row.notification.test,
  (row) => row.notification.orderingKey,
  (row) => json(row.notification.metadata),
  (row) => row.notification.scheduledAt,
  (row) => row.notification.expiresAt,
  (row) => row.deliveries.length,
  (row) => row.idempotency?.key ?? null,
  (row) => row.idempotency?.bodyHash ?? null,
  (row) => row.traceparent,
  (row) => row.notification.endpointId,
];

/**
 * What lacks an address is told and writes nothing, not even its key. Keys go next, in order (two batches with the same keys then wait for, and do not deadlock with, each other); a request
 * whose key was there already writes nothing else. created_at is cut to milliseconds because the answer shows it so, and a
 * replayed answer must be the same text.
 *
 * Due rows go in order of id: a trigger blocks each that has an ordering key with a row already (docs/adr/0017).
 */
const ACCEPT = `
with input as materialized (
  select * from unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::smallint[], $11::smallint[],
    $12::boolean[], $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[], $17::integer[], $18::text[], $19::text[], $20::text[], $21::uuid[]
  ) with ordinality as i(tenant_id, id, recipient_id, type, category, channels, template_id, content, payload, priority, lane,
                         test, ordering_key, metadata, scheduled_at, expires_at, total, key, body_hash, traceparent, endpoint_id, ord)
), asked as materialized (
  select * from unnest($22::integer[], $23::uuid[], $24::text[], $25::text[], $26::text[]) as d(ord, id, channel, address, address_from)
), lacking as materialized (
  select a.ord, array_agg(a.channel) as channels
  from asked a join input i on i.ord = a.ord left join recipients r on r.tenant_id = i.tenant_id and r.id = i.recipient_id
  where (a.address_from = 'email' and r.email is null) or (a.address_from = 'phone' and r.phone is null)
     or (a.address_from = 'devices' and not exists (select from devices v where v.tenant_id = i.tenant_id and v.recipient_id = i.recipient_id))
  group by a.ord
), able as materialized (
  select * from input i where not exists (select from lacking l where l.ord = i.ord)
), keys as (
  insert into idempotency_keys (tenant_id, key, body_hash, notification_id)
  select tenant_id, key, decode(body_hash, 'hex'), id from able where key is not null order by tenant_id, key, ord
  on conflict (tenant_id, key) do nothing
  returning tenant_id, key, notification_id
), accepted as materialized (
  select i.*, date_trunc('milliseconds', now()) as created_at from able i
  where i.key is null or exists (select 1 from keys k where k.tenant_id = i.tenant_id and k.key = i.key and k.notification_id = i.id)
), profiles as (
  insert into recipients as r (tenant_id, id, email, phone, locale, timezone, attributes)
  select distinct on (a.tenant_id, u.id) a.tenant_id, u.id, u.email, u.phone, u.locale, u.timezone, coalesce(u.attributes::jsonb, '{}')
  from unnest($27::integer[], $28::text[], $29::text[], $30::text[], $31::text[], $32::text[], $33::text[]) as u(ord, id, email, phone, locale, timezone, attributes)
  join accepted a on a.ord = u.ord
  order by a.tenant_id, u.id, u.ord desc
  on conflict (tenant_id, id) do update set
    email = coalesce(excluded.email, r.email), phone = coalesce(excluded.phone, r.phone), locale = coalesce(excluded.locale, r.locale),
    timezone = coalesce(excluded.timezone, r.timezone), attributes = r.attributes || excluded.attributes, updated_at = now()
), stored as (
  insert into notifications (tenant_id, id, recipient_id, type, category, channels, template_id, content, payload, priority, test, ordering_key,
                             metadata, scheduled_at, expires_at, total, created_at, endpoint_id)
  select tenant_id, id, recipient_id, type, category, string_to_array(channels, ','), template_id, content::jsonb, payload::jsonb, priority, test, ordering_key,
         metadata::jsonb, scheduled_at, expires_at, total, created_at, endpoint_id
  from accepted
), wanted as materialized (
  select a.tenant_id, d.id, a.id as notification_id, a.recipient_id, d.channel, d.address, a.lane, a.ordering_key, a.scheduled_at, a.expires_at, a.created_at, a.traceparent, a.endpoint_id
  from asked d join accepted a on a.ord = d.ord
), made as (
  insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, created_at, endpoint_id)
  select tenant_id, id, notification_id, recipient_id, channel, address, created_at, endpoint_id from wanted
), due as (
  insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, reason, expires_at, ordering_key, message_key, traceparent)
  select tenant_id, id, channel, lane, coalesce(scheduled_at, created_at), case when scheduled_at > created_at then 'scheduled' end, expires_at, ordering_key,
         hashtext(tenant_id::text || coalesce(ordering_key, recipient_id)), traceparent
  from wanted
  where (select carillon_lock_ordering_keys(array(select carillon_ordering_lock(tenant_id, ordering_key) from accepted where ordering_key is not null)))
  order by id
)
select ord::integer as ord, created_at, null::text[] as lacking from accepted
union all
select ord, null, channels from lacking`;
