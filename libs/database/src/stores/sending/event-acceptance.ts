import { derivedId, type EventType, newId } from '#domain';
import type { StoredEvent } from './events.store.js';
import type { NewNotification } from './new-notification.js';

/** Events do not push aside what tenants send to people, and are not held up behind their bulk. */
const PRIORITY = 5;

/** The endpoint an event goes to. */
export interface EventTarget {
  tenantId: string;
  id: string;
  events: readonly (EventType | '*')[];
  /** One at a time for each recipient. */
  ordered: boolean;
}

export function wants({ events }: Pick<EventTarget, 'events'>, type: string): boolean {
  return events.includes('*') || events.includes(type as EventType);
}

/** The id of the notification that carries an event to an endpoint: always the same, so that one that is missing is found. */
export function eventNotificationId(event: Pick<StoredEvent, 'id' | 'createdAt'>, endpointId: string): string {
  return derivedId(Date.parse(event.createdAt), `${event.id} ${endpointId}`);
}

/**
 * An event as a notification to one endpoint: from here on it is a delivery like any other, with its retries, timeline and dead
 * letter. StoreResult twice it is one: its key cannot be a tenant's, whose keys are ASCII.
 */
export function eventAcceptance(event: StoredEvent, endpoint: EventTarget): NewNotification {
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
      test: false,
      orderingKey: endpoint.ordered ? `${endpoint.id} ${event.recipientId ?? event.subject}` : null,
      metadata: { event_id: event.id },
      scheduledAt: null,
      expiresAt: null,
      endpointId: endpoint.id,
      sharedContentId: null,
    },
    deliveries: [{ id: newId(), channel: 'webhook', address: null, addressFrom: null }],
    recipient: null,
    idempotency: { key: `§event ${event.id} ${endpoint.id}`, bodyHash: '00' },
    traceparent: null,
  };
}
