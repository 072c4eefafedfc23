import type { ChannelId } from '#domain';
import { Batcher } from '../../batcher.js';
import { columns } from '../../columns.js';
import type { Database } from '../../database.js';

export interface RecentSendsQuery {
  tenantId: string;
  recipientId: string;
  channel: ChannelId;
  windowSeconds: number;
  /** The delivery on whose behalf is asked: it does not count itself. */
  deliveryId: string;
  /** Whoever was claimed longer ago than this and has not begun to send counts as under way. */
  claimedBeforeMs: number;
}

export interface RecentSends {
  hits: { deliveryId: string; ageMs: number }[];
  underWay: number;
}

interface Row {
  ord: number;
  delivery_id: string;
  age_ms: number;
  under_way: boolean;
}

/**
 * What was sent to a recipient on a channel of late, read from what was recorded: how a limiter that has forgotten its counts
 * finds them again. Runs as the platform: one batch asks for recipients of many tenants.
 */
export class RecentSendsStore {
  private readonly batcher: Batcher<RecentSendsQuery, RecentSends>;

  constructor(
    private readonly database: Database,
    private readonly leaseSeconds: number,
  ) {
    this.batcher = new Batcher({
      flush: (batch) => this.readAll(batch),
      slots: 1,
      maxBatch: 200,
      maxQueue: 100_000,
    });
  }

  /** Looks at the recipient's thousand newest notifications. Indexes: notifications_recipient_id_tenant_id_id_idx, then primary keys. */
  async find(query: RecentSendsQuery): Promise<RecentSends> {
    return await this.batcher.run(query);
  }

  private async readAll(batch: RecentSendsQuery[]): Promise<RecentSends[]> {
    const rows = await this.database.platformReads.query<Row>({
      name: 'recent_sends',
      text: RECENT_SENDS,
      values: [
        ...columns(batch, [
          (query) => query.tenantId,
          (query) => query.recipientId,
          (query) => query.channel,
          (query) => query.windowSeconds,
          (query) => query.deliveryId,
          (query) => query.claimedBeforeMs / 1_000,
        ]),
        this.leaseSeconds,
      ],
    });
    const found = Map.groupBy(rows, (row) => row.ord - 1);
    return batch.map((_, index) => {
      const mine = found.get(index) ?? [];
      return {
        hits: mine
          .filter((row) => !row.under_way)
          .map((row) => ({ deliveryId: row.delivery_id, ageMs: Math.max(0, row.age_ms) })),
        underWay: mine.filter((row) => row.under_way).length,
      };
    });
  }
}

/**
 * A hit is a delivery that was sent, tried, or has its token marked by the intent; its time is the last one known. A claim is
 * as old as its lease has run.
 */
export const RECENT_SENDS = `
select i.ord::integer as ord, h.delivery_id, h.age_ms, h.under_way
from unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::uuid[], $6::double precision[])
  with ordinality as i(tenant_id, recipient_id, channel, window_seconds, delivery_id, claimed_before, ord)
cross join lateral (
  select n.id from notifications n where n.tenant_id = i.tenant_id and n.recipient_id = i.recipient_id order by n.id desc limit 1000
) n
cross join lateral (
  select d.id as delivery_id, not coalesce(q.rate_limit_consumed, true) as under_way,
         extract(epoch from clock_timestamp() - coalesce(d.sent_at, a.ended_at, clock_timestamp()))::float8 * 1000 as age_ms
  from deliveries d
  left join lateral (
    select q.rate_limit_consumed, q.claim_id is not null and q.due_at > now() and q.due_at <= now() + make_interval(secs => $7::double precision - i.claimed_before) as old_claim
    from due_deliveries q where q.tenant_id = d.tenant_id and q.delivery_id = d.id offset 0
  ) q on true
  left join lateral (
    select max(a.ended_at) as ended_at from attempts a where a.tenant_id = d.tenant_id and a.delivery_id = d.id offset 0
  ) a on true
  where d.tenant_id = i.tenant_id and d.notification_id = n.id and d.channel = i.channel and d.id <> i.delivery_id
    and (q.rate_limit_consumed or (not q.rate_limit_consumed and q.old_claim) or (q.rate_limit_consumed is null and (d.attempts > 0 or d.state = 'sent')))
  offset 0
) h
where h.age_ms < i.window_seconds * 1000.0`;
