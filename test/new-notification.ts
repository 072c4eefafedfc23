import type { NewNotification } from '#database';
import { newId } from '#domain';

/** A notification to `ann` with one e-mail, for the stores. */
export function newNotification(
  tenantId: string,
  notification: Partial<NewNotification['notification']> = {},
  parts: Partial<Omit<NewNotification, 'notification'>> = {},
): NewNotification {
  return {
    notification: {
      tenantId,
      id: newId(),
      recipientId: 'ann',
      type: null,
      category: 'default',
      channels: ['email'],
      templateId: null,
      content: { subject: 'Hello', text: 'Hello' },
      payload: null,
      priority: 5,
      orderingKey: null,
      metadata: null,
      scheduledAt: null,
      expiresAt: null,
      endpointId: null,
      sharedContentId: null,
      ...notification,
    },
    deliveries: [{ id: newId(), channel: 'email', address: 'ann@example.com', addressFrom: null }],
    recipient: null,
    idempotency: null,
    traceparent: null,
    ...parts,
  };
}
