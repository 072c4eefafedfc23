import type { AddressSource, ChannelId } from '#domain';
import type { Notification } from './notification.js';

/** A profile that came with a send: what it names is replaced, what it does not name is kept. */
export interface RecipientUpsert {
  id: string;
  email?: string | null | undefined;
  phone?: string | null | undefined;
  locale?: string | null | undefined;
  timezone?: string | null | undefined;
  attributes?: Record<string, unknown> | undefined;
}

/** Everything one accepted request writes. */
export interface NewNotification {
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
