import type { ChannelId } from '#domain';
import { Batcher } from '../../batcher.js';
import { columns } from '../../columns.js';
import type { Database } from '../../database.js';
import type { DeliveryRow, NotificationRow } from './notification.js';

/** What the first answer to a send was made from: columns that never change afterwards. */
export interface FirstAnswer {
  notification: Omit<NotificationRow, 'status' | 'total' | 'sharedContentId'>;
  deliveries: Pick<DeliveryRow, 'id' | 'channel'>[];
}

interface NotificationKey {
  tenantId: string;
  id: string;
}

type FirstAnswerRow = FirstAnswer['notification'] & {
  ord: number;
  deliveries: { id: string; channel: ChannelId }[];
};

/**
 * Reads for replays, all that wait at the moment in one statement: a retry storm must not cost more than the sends it repeats.
 * Runs as the platform because the replays are of many tenants; each is looked up with the tenant of the key that asked.
 */
export class FirstAnswersStore {
  private readonly batcher: Batcher<NotificationKey, FirstAnswer | null>;

  constructor(private readonly database: Database) {
    this.batcher = new Batcher({ flush: (keys) => this.read(keys), slots: 1, maxBatch: 256, maxQueue: 5_000 });
  }

  /** Null when retention has deleted the notification. Throws `unavailable`. */
  async get(tenantId: string, id: string): Promise<FirstAnswer | null> {
    return await this.batcher.run({ tenantId, id });
  }

  private async read(keys: readonly NotificationKey[]): Promise<(FirstAnswer | null)[]> {
    const rows = await this.database.platformReads.query<FirstAnswerRow>({
      name: 'first_answers',
      text: FIRST_ANSWERS,
      values: columns(keys, [(key) => key.tenantId, (key) => key.id]),
    });
    const found: (FirstAnswer | null)[] = new Array(keys.length).fill(null);
    for (const { ord, deliveries, ...notification } of rows) found[ord - 1] = { notification, deliveries };
    return found;
  }
}

/** Indexes: notifications_pkey, deliveries_notification_id_tenant_id_id_idx. A send has at most one delivery for each channel. */
const FIRST_ANSWERS = `
select i.ord::integer as ord, n.tenant_id as "tenantId", n.id, n.recipient_id as "recipientId", n.type, n.category, n.channels, n.template_id as "templateId",
       n.priority, n.test, n.ordering_key as "orderingKey", n.metadata, n.scheduled_at as "scheduledAt", n.expires_at as "expiresAt", n.endpoint_id as "endpointId",
       n.created_at as "createdAt", d.deliveries
from unnest($1::uuid[], $2::uuid[]) with ordinality as i(tenant_id, id, ord)
cross join lateral (select * from notifications x where x.tenant_id = i.tenant_id and x.id = i.id offset 0) n
cross join lateral (
  select json_agg(json_build_object('id', x.id, 'channel', x.channel) order by x.id) as deliveries
  from deliveries x where x.tenant_id = n.tenant_id and x.notification_id = n.id
) d`;
