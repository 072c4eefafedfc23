import type { Database } from '../../database.js';
import { hmacPads } from '../../secrets/hashed-address.js';
import type { PlatformKeys } from '../../secrets/platform-keys.js';
import { type ContextRow, contextsOf, type DeliveryContext, toContext } from '../sending/delivery-context.js';
import type { NewNotification } from '../sending/new-notification.js';

/**
 * Reads the contexts that the deliveries of a notification would have if it were accepted, without storing anything.
 * Runs as the platform, like the statement of the worker that it shares.
 */
export class PlannedDeliveriesStore {
  constructor(
    private readonly database: Database,
    private readonly keys: PlatformKeys,
  ) {}

  /** In the order of the deliveries. The values of an inline profile win over the stored ones, as after the send. */
  async contexts({ notification, deliveries, recipient }: NewNotification): Promise<DeliveryContext[]> {
    const { tenantId, id, recipientId } = notification;
    const rows = await this.database.platformReads.query<ContextRow>({
      name: 'load_planned_deliveries',
      text: LOAD_PLANNED_DELIVERIES,
      values: [
        JSON.stringify(
          deliveries.map((delivery) => ({
            tenant_id: tenantId,
            id: delivery.id,
            notification_id: id,
            recipient_id: recipientId,
            channel: delivery.channel,
            address: delivery.address,
          })),
        ),
        JSON.stringify(toRow(notification)),
        // Nulls are absent: they keep the stored value.
        recipient && JSON.stringify(recipient, (_, value: unknown) => value ?? undefined),
        hmacPads(this.keys.addressKey),
      ],
    });
    const found = new Map(rows.map((row) => [row.delivery_id, toContext(row)]));
    return deliveries.map((delivery) => found.get(delivery.id)!);
  }

  /** When the digest is due that an item would join now; null if it would begin one. Index: digests_open_idx. */
  async openDigestDueAt({ notification }: DeliveryContext, channel: string): Promise<Date | null> {
    const { tenantId, recipientId, category } = notification;
    const [digest] = await this.database.queryForTenant<{ due_at: Date }>(tenantId, {
      text: `select due_at from digests
             where tenant_id = $1 and recipient_id = $2 and channel = $3 and category = $4 and closed_at is null`,
      values: [tenantId, recipientId, channel, category],
    });
    return digest?.due_at ?? null;
  }

  /** Whether an earlier delivery with this ordering key has not ended. Index: due_deliveries_ordering_idx. */
  async isOrderingKeyBusy(tenantId: string, orderingKey: string): Promise<boolean> {
    const rows = await this.database.queryForTenant(tenantId, {
      text: 'select from due_deliveries where tenant_id = $1 and ordering_key = $2 limit 1',
      values: [tenantId, orderingKey],
    });
    return rows.length > 0;
  }
}

function toRow({ tenantId, id, ...notification }: NewNotification['notification']): Record<string, unknown> {
  return {
    tenant_id: tenantId,
    id,
    recipient_id: notification.recipientId,
    type: notification.type,
    category: notification.category,
    channels: notification.channels,
    template_id: notification.templateId,
    content: notification.content,
    payload: notification.payload,
    priority: notification.priority,
    ordering_key: notification.orderingKey,
    metadata: notification.metadata,
    scheduled_at: notification.scheduledAt,
    expires_at: notification.expiresAt,
    test: false,
  };
}

/** $1: the deliveries, $2: the notification, $3: the inline profile, null without one; all as JSON. $4: the pads. */
const LOAD_PLANNED_DELIVERIES = contextsOf({
  source: `jsonb_populate_recordset(null::deliveries, $1::jsonb) d
cross join jsonb_populate_record(null::notifications, $2::jsonb) n`,
  recipient: `
  select p.* from (values (1)) as one
  left join recipients x on x.tenant_id = d.tenant_id and x.id = d.recipient_id
  cross join lateral jsonb_populate_record(x, $3::jsonb || jsonb_build_object(
    'attributes', coalesce(x.attributes, '{}') || coalesce($3::jsonb -> 'attributes', '{}'))) p
  offset 0
`,
  pads: '$4::bytea',
});
