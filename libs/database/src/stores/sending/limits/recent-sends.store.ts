import type { KeyedLimit } from '#domain';
import { Batcher } from '../../../batcher.js';
import { columnList } from '../../../column-list.js';
import type { Database } from '../../../database.js';
import { WITHOUT_SEND } from '../delivery-moves.js';

export interface RecentSendsQuery {
  tenantId: string;
  /** The delivery that asks, which is not counted; null if none does. */
  deliveryId: string | null;
  limit: KeyedLimit;
  /** A delivery that was claimed longer ago than this and has not begun to send counts as under way. */
  rememberedMs: number;
}

export interface RecentSends {
  hits: { deliveryId: string; ageMs: number }[];
  /** Deliveries that were claimed before, and that may count although nothing is recorded of them yet. */
  underWay: string[];
}

interface Row {
  ord: number;
  delivery_id: string;
  age_ms: number;
  under_way: boolean;
}

const queryColumns = columnList<RecentSendsQuery>({
  tenant_id: ['uuid', (query) => query.tenantId],
  recipient_id: ['text', ({ limit }) => limit.recipientId],
  /** Separated by commas. */
  channels: ['text', ({ limit }) => limit.channels.join(',')],
  category: ['text', ({ limit }) => limit.category],
  window_seconds: ['integer', ({ limit }) => limit.windowSeconds],
  is_given_back: ['boolean', ({ limit }) => limit.isGivenBack],
  delivery_id: ['uuid', (query) => query.deliveryId],
  claimed_before: ['double precision', (query) => query.rememberedMs / 1_000],
});

/**
 * Recent sends to a recipient that a limit counts, read from the recorded deliveries. A limiter that has lost its
 * counts restores them from here. Runs as the platform, because one batch reads for recipients of many tenants.
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

  /** Reads the recipient's thousand newest notifications. */
  async find(query: RecentSendsQuery): Promise<RecentSends> {
    return await this.batcher.run(query);
  }

  private async readAll(batch: RecentSendsQuery[]): Promise<RecentSends[]> {
    const rows = await this.database.platformReads.query<Row>({
      name: 'recent_sends',
      text: RECENT_SENDS,
      values: [...queryColumns.values(batch), this.leaseSeconds],
    });
    const found = Map.groupBy(rows, (row) => row.ord - 1);
    return batch.map((_, index) => {
      const mine = found.get(index) ?? [];
      return {
        hits: mine
          .filter((row) => !row.under_way)
          .map((row) => ({ deliveryId: row.delivery_id, ageMs: Math.max(0, row.age_ms) })),
        underWay: mine.filter((row) => row.under_way).map((row) => row.delivery_id),
      };
    });
  }
}

const LEASE_SECONDS = `$${queryColumns.length + 1}::double precision`;

/**
 * A hit is a delivery that was sent, was attempted, or is marked by its intent as counted in the recipient's limit. Its
 * time is the last one known. A claim is as old as the elapsed part of its lease. Indexes:
 * notifications_recipient_id_tenant_id_id_idx, deliveries_notification_id_tenant_id_id_idx, and the primary keys of
 * due_deliveries, attempts and categories.
 */
export const RECENT_SENDS = `
select i.ord::integer as ord, h.delivery_id, h.age_ms, h.under_way
from ${queryColumns.numberedTable('i')}
cross join lateral (
  select n.id, n.category from notifications n where n.tenant_id = i.tenant_id and n.recipient_id = i.recipient_id
  order by n.id desc limit 1000
) n
cross join lateral (
  select d.id as delivery_id, not coalesce(q.rate_limit_consumed, true) as under_way,
         extract(epoch from clock_timestamp() - coalesce(d.sent_at, a.ended_at, clock_timestamp()))::float8 * 1000
           as age_ms
  from deliveries d
  left join lateral (
    select q.rate_limit_consumed,
           q.claim_id is not null and q.due_at > now()
             and q.due_at <= now() + make_interval(secs => ${LEASE_SECONDS} - i.claimed_before) as old_claim
    from due_deliveries q where q.tenant_id = d.tenant_id and q.delivery_id = d.id offset 0
  ) q on true
  left join lateral (
    select max(a.ended_at) as ended_at from attempts a where a.tenant_id = d.tenant_id and a.delivery_id = d.id offset 0
  ) a on true
  where d.tenant_id = i.tenant_id and d.notification_id = n.id and d.channel = any (string_to_array(i.channels, ','))
    and (i.category is null or n.category = i.category) and d.id is distinct from i.delivery_id
    and not (i.is_given_back and d.state in ${WITHOUT_SEND})
    and (q.rate_limit_consumed or (not q.rate_limit_consumed and q.old_claim)
      or (q.rate_limit_consumed is null and (d.attempts > 0 or d.state = 'sent')))
  offset 0
) h
where h.age_ms < i.window_seconds * 1000.0
  and not exists (select from categories c where c.tenant_id = i.tenant_id and c.key = n.category and c.bypass_caps)`;
