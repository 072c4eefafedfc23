import type { ChannelId, NotificationCounter } from '#domain';
import { Batcher } from '../../batcher.js';
import { columnList } from '../../column-list.js';
import type { Database } from '../../database.js';
import type { DeliveryRow, NotificationRow } from './notification.js';

/** The data of the first answer to a send: columns that never change afterwards. */
export interface FirstAnswer {
  notification: Omit<NotificationRow, 'status' | 'total' | 'fanOut' | NotificationCounter>;
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

const keyColumns = columnList<NotificationKey>({
  tenant_id: ['uuid', (key) => key.tenantId],
  id: ['uuid', (key) => key.id],
});

/**
 * Reads the answers to repeated sends, all that are waiting in one statement: many retries at once must not cost more
 * than the sends that they repeat. Runs as the platform because the sends are of many tenants; each is looked up with
 * the tenant of its API key.
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
      values: keyColumns.values(keys),
    });
    const found: (FirstAnswer | null)[] = new Array(keys.length).fill(null);
    for (const { ord, deliveries, ...notification } of rows) found[ord - 1] = { notification, deliveries };
    return found;
  }
}

/**
 * Indexes: notifications_pkey, deliveries_notification_id_tenant_id_id_idx. A send to a recipient has at most one
 * delivery for each channel, the first answer to a send to a topic has none.
 */
const FIRST_ANSWERS = `
select i.ord::integer as ord, n.tenant_id as "tenantId", n.id, n.recipient_id as "recipientId", n.type, n.category,
       n.topic, n.channels, n.template_id as "templateId", n.priority, n.ordering_key as "orderingKey", n.metadata,
       n.scheduled_at as "scheduledAt", n.expires_at as "expiresAt", n.endpoint_id as "endpointId",
       n.created_at as "createdAt", d.deliveries
from ${keyColumns.numberedTable('i')}
cross join lateral (select * from notifications x where x.tenant_id = i.tenant_id and x.id = i.id offset 0) n
cross join lateral (
  select coalesce(json_agg(json_build_object('id', x.id, 'channel', x.channel) order by x.id), '[]') as deliveries
  from deliveries x where n.topic is null and x.tenant_id = n.tenant_id and x.notification_id = n.id
) d`;
