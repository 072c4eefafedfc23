import type { ChannelId } from '#domain';

export interface Topic {
  key: string;
  name: string;
  description: string | null;
  subscribers: number;
  createdAt: Date;
  updatedAt: Date;
}

export type TopicFields = Pick<Topic, 'name' | 'description'>;

export interface Subscription {
  /** The key of the topic. */
  topic: string;
  recipientId: string;
  /** The channels that the recipient accepts from this topic; null for all. */
  channels: ChannelId[] | null;
  createdAt: Date;
}
