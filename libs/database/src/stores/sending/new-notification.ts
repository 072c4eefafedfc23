import type { AddressSource, ChannelId } from '#domain';
import type { Notification } from './notification.js';

/** A profile in the body of a send. Replaces the fields that it has a value for and keeps the others. */
export interface RecipientUpsert {
  id: string;
  email?: string | null | undefined;
  phone?: string | null | undefined;
  locale?: string | null | undefined;
  timezone?: string | null | undefined;
  attributes?: Record<string, unknown> | undefined;
}

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
