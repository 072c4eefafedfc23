import type { ChannelId, DeliveryState, JobState, NotificationCounter, NotificationStatus } from '#domain';

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
export interface NotificationRow
  extends Omit<Notification, 'recipientId' | 'content' | 'payload' | 'sharedContentId'>,
    Record<NotificationCounter, number> {
  /** Null for a send to a topic. */
  recipientId: string | null;
  topic: string | null;
  createdAt: Date;
  status: NotificationStatus;
  total: number;
  /** The progress of a send to a topic; null for all others. */
  fanOut: FanOut | null;
}

/** The job that creates the deliveries of a send to a topic. */
export interface FanOut {
  /** Members of the topic: at accept, and in the end those that have deliveries. Null if it is not known. */
  total: number | null;
  expanded: number;
  state: JobState;
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
