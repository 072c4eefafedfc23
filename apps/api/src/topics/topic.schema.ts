import { z } from 'zod';
import type { Subscription, Topic } from '#database';
import { channelIds } from '#domain';
import { recipientId, time, topicKey } from '../http/schemas.js';

const MAX_MEMBERS = 1_000;

const fields = {
  name: z.string().min(1).max(100),
  description: z.string().max(1_000).nullable().default(null),
};

const channels = z
  .array(z.enum(channelIds))
  .min(1)
  .refine((list) => new Set(list).size === list.length, 'names a channel twice')
  .nullable()
  .meta({ description: 'The channels that the recipient accepts from this topic; null: all' });

const recipientIds = z.array(recipientId).min(1).max(MAX_MEMBERS);

export const topicBody = z.strictObject(fields).meta({ id: 'TopicBody' });
export type TopicBody = z.infer<typeof topicBody>;

export const topicView = z
  .object({
    key: topicKey,
    name: z.string(),
    description: z.string().nullable(),
    subscribers: z.int(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Topic' });

export const subscriptionBody = z.strictObject({ channels: channels.default(null) }).meta({ id: 'SubscriptionBody' });
export type SubscriptionBody = z.infer<typeof subscriptionBody>;

export const subscribeBody = z
  .strictObject({
    recipient_ids: recipientIds.meta({ description: 'Those without a profile get one without addresses' }),
    channels: channels.optional().meta({ description: 'Of all; without it, existing subscriptions keep theirs' }),
  })
  .meta({ id: 'Subscribe' });
export type SubscribeBody = z.infer<typeof subscribeBody>;

export const subscribedView = z.object({ subscribed: z.int(), already: z.int() }).meta({ id: 'Subscribed' });

export const unsubscribeBody = z.strictObject({ recipient_ids: recipientIds }).meta({ id: 'Unsubscribe' });
export type UnsubscribeBody = z.infer<typeof unsubscribeBody>;

export const unsubscribedView = z.object({ unsubscribed: z.int() }).meta({ id: 'Unsubscribed' });

export const subscriptionView = z
  .object({ topic: topicKey, recipient_id: recipientId, channels, created_at: time })
  .meta({ id: 'Subscription' });

export const keyParam = z.object({ key: topicKey });
export const memberParam = z.object({ key: topicKey, recipient_id: recipientId });

export function toTopicView({ createdAt, updatedAt, ...topic }: Topic): z.infer<typeof topicView> {
  return { ...topic, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}

export function toSubscriptionView(subscription: Subscription): z.infer<typeof subscriptionView> {
  return {
    topic: subscription.topic,
    recipient_id: subscription.recipientId,
    channels: subscription.channels,
    created_at: subscription.createdAt.toISOString(),
  };
}
