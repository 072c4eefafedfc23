import {
  type AddressSource,
  addressNeeded,
  type ChannelId,
  channelsOf,
  newId,
  type RecipientPart,
  type RecipientUpsert,
  recipientIdOf,
  type SharedPart,
} from '#domain';
import type { Notification } from './notification.js';

/** All that one request to send writes when the store accepts it. */
export interface NewNotification {
  notification: Notification;
  deliveries: {
    id: string;
    channel: ChannelId;
    /** The address in the body of the send, null to use that of the profile. */
    address: string | null;
    /** The part of the stored profile that this delivery needs; null if it needs none. */
    addressFrom: AddressSource | null;
  }[];
  recipient: RecipientUpsert | null;
  /** SHA-256 of the canonical body, hexadecimal. */
  idempotency: { key: string; bodyHash: string } | null;
  /** W3C trace context of the request, logged and passed on with its deliveries. */
  traceparent: string | null;
}

/** Everything that the accept statement stores for one notification. */
export function toNewNotification(
  caller: { tenantId: string; traceparent: string | null },
  shared: SharedPart,
  item: RecipientPart,
  idempotency: NewNotification['idempotency'],
): NewNotification {
  const channels = channelsOf(shared);
  return {
    notification: {
      tenantId: caller.tenantId,
      id: newId(),
      recipientId: recipientIdOf(item),
      type: shared.type ?? null,
      category: shared.category,
      channels,
      templateId: shared.template_id ?? null,
      content: shared.content ?? null,
      payload: item.payload ?? null,
      priority: shared.priority,
      orderingKey: shared.ordering_key ?? null,
      metadata: shared.metadata ?? null,
      scheduledAt: shared.scheduled_at === undefined ? null : new Date(shared.scheduled_at),
      expiresAt: shared.expires_at === undefined ? null : new Date(shared.expires_at),
      endpointId: null,
      sharedContentId: null,
    },
    deliveries: channels.map((channel) => ({
      id: newId(),
      channel,
      address: item.recipient_address ?? null,
      addressFrom: addressNeeded(channel, item),
    })),
    recipient: item.recipient ?? null,
    idempotency,
    traceparent: caller.traceparent,
  };
}
