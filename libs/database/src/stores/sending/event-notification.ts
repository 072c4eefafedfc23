import { createHash } from 'node:crypto';
import { derivedId, type EventType, newId } from '#domain';
import type { StoredEvent, TracedEvent } from './events.store.js';
import type { NewNotification } from './new-notification.js';

/** The normal lane: events do not delay urgent sends to people, and do not wait behind bulk sends. */
const PRIORITY = 5;

/** A webhook endpoint that events go to. */
export interface EventEndpoint {
  tenantId: string;
  id: string;
  events: readonly (EventType | '*')[];
  /** The events of one recipient are sent one at a time. */
  ordered: boolean;
}

export function wants({ events }: Pick<EventEndpoint, 'events'>, type: string): boolean {
  return events.includes('*') || events.includes(type as EventType);
}

/**
 * The id of the notification for an event and an endpoint. It is always the same, so that a missing one can be found.
 */
export function eventNotificationId(event: Pick<StoredEvent, 'id' | 'createdAt'>, endpointId: string): string {
  return derivedId(Date.parse(event.createdAt), `${event.id} ${endpointId}`);
}

/**
 * The notification that sends an event to one endpoint; its delivery has retries, timeline and dead letter like any
 * other. Its idempotency key makes a repeat harmless, and differs from all keys of tenants, which are ASCII.
 */
export function newEventNotification(event: TracedEvent, endpoint: EventEndpoint): NewNotification {
  const body = {
    type: event.type,
    timestamp: event.createdAt,
    data: JSON.parse(event.data) as Record<string, unknown>,
  };
  return {
    notification: {
      tenantId: event.tenantId,
      id: eventNotificationId(event, endpoint.id),
      recipientId: endpoint.id,
      type: event.type,
      category: 'default',
      channels: ['webhook'],
      templateId: null,
      content: null,
      payload: body,
      priority: PRIORITY,
      orderingKey: endpoint.ordered ? orderingKey(endpoint.id, event.recipientId ?? event.subject) : null,
      metadata: { event_id: event.id },
      scheduledAt: null,
      expiresAt: null,
      endpointId: endpoint.id,
      sharedContentId: null,
    },
    deliveries: [{ id: newId(), channel: 'webhook', address: null, addressFrom: null }],
    recipient: null,
    idempotency: { key: `§event ${event.id} ${endpoint.id}`, bodyHash: '00' },
    traceparent: event.traceparent,
  };
}

/** Contains a hash, because the key stays in the queue after the recipient is erased. */
function orderingKey(endpointId: string, subject: string): string {
  return `${endpointId} ${createHash('sha256').update(subject).digest('base64url').slice(0, 22)}`;
}
