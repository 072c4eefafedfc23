import { z } from 'zod';
import { channelIds, deliveryStates, notificationStatuses } from '#domain';
import { filteredPage, flag, recipientId, time, topicKey } from '../http/schemas.js';

const channel = z.enum(channelIds, { error: `must be one of ${channelIds.join(', ')}` });
const label = z.string().min(1).max(255);

export const listQuery = filteredPage({
  offset: z.coerce.number({ error: 'must be a number' }).int().min(0).max(10_000).optional(),
  status: z
    .enum(notificationStatuses)
    .optional()
    .meta({
      description:
        '`pending` and `active` are computed. Such a page examines 1,000 notifications, ' +
        'so it may be short or empty and still have a next_cursor',
    }),
  recipient_id: recipientId.optional(),
  channel: channel.optional(),
  topic: topicKey.optional(),
  category: label.optional(),
  type: label.optional(),
  created_after: time.optional(),
  created_before: time.optional(),
  deleted: flag.optional(),
})
  // metadata[key]=value arrives under the flat name `metadata[key]`.
  .catchall(z.string().max(1_000))
  .superRefine((query, context) => {
    const known = new Set([
      'limit',
      'cursor',
      'offset',
      'status',
      'recipient_id',
      'channel',
      'topic',
      'category',
      'type',
      'created_after',
      'created_before',
      'deleted',
    ]);
    for (const name of Object.keys(query)) {
      if (!known.has(name) && !/^metadata\[.{1,100}\]$/.test(name))
        context.addIssue({ code: 'unrecognized_keys', keys: [name], message: 'unknown', input: query });
    }
    if (query.offset !== undefined && query.cursor !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['offset'],
        message: 'give offset or cursor, not both',
        params: { code: 'conflicting' },
      });
  });
export type ListQuery = z.infer<typeof listQuery>;

export const deliveriesQuery = filteredPage({ state: z.enum(deliveryStates).optional() });
