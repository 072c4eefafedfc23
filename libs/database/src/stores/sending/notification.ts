import type { ChannelId, DeliveryState, NotificationStatus } from '#domain';

/** A notification as it was requested. Nothing of it changes after accept. */
export interface Notification {
  tenantId: string;
  id: string;
  recipientId: string;
  type: string | null;
  category: string;
  channels: ChannelId[];
  templateId: string | null;
  content: Record<string, unknown> | null;
  payload: Record<string, unknown> | null;
  priority: number;
  orderingKey: string | null;
  metadata: Record<string, string> | null;
  scheduledAt: Date | null;
  expiresAt: Date | null;
  /** The webhook endpoint, if the notification is an event for one. */
  endpointId: string | null;
  /**
   * For an item of a bulk send: the shared row that holds `content`, and the payload that this item's `payload`
   * overrides.
   */
  sharedContentId: string | null;
}

/** A notification as it is read, without the fields that are only needed to send it. */
export interface NotificationRow extends Omit<Notification, 'content' | 'payload' | 'sharedContentId'> {
  createdAt: Date;
  status: NotificationStatus;
  total: number;
}

export interface DeliveryRow {
  id: string;
  notificationId: string;
  recipientId: string;
  channel: ChannelId;
  address: string | null;
  state: DeliveryState;
  reason: string | null;
  dueAt: Date | null;
  provider: string | null;
  providerMessageId: string | null;
  templateVersion: number | null;
  attempts: number;
  createdAt: Date;
  sentAt: Date | null;
  deliveredAt: Date | null;
  complainedAt: Date | null;
  openedAt: Date | null;
}
