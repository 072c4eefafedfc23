import { z } from 'zod';
import {
  channelIds,
  type DeliveryState,
  deliveryStates,
  failedReasons,
  notificationStatuses,
  suppressedReasons,
  waitingReasons,
  wholeNumber,
} from '#domain';
import { filteredPage, flag, id, recipientId, time, topicKey } from '../http/schemas.js';

const channel = z.enum(channelIds);
const label = z.string().min(1).max(255);

export const listQuery = filteredPage({
  offset: wholeNumber(0, 10_000).optional(),
  status: z
    .enum(notificationStatuses)
    .optional()
    .meta({
      description:
        '`pending` and `active` are computed. Such a page examines 1,000 notifications, and one by channel, ' +
        'category, type, time, metadata or deleted 10,000: it may be short or empty and still have a next_cursor',
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

const anyState = deliveryStates.join('|');
const reasons = [...new Set([...waitingReasons, ...suppressedReasons, ...failedReasons])];

export const searchQuery = filteredPage({
  recipient_id: recipientId.optional(),
  address: z
    .string()
    .min(1)
    .max(320)
    .optional()
    .meta({
      description:
        'An e-mail address, a phone number or another address, exactly or in lower case: one that the send named, or ' +
        'the one that the profile has now. Tokens of devices are not searched',
    }),
  channel: channel.optional(),
  state: z
    .string()
    .regex(new RegExp(`^(${anyState})(,(${anyState}))*$`), `must be one or more of ${deliveryStates.join(', ')}`)
    .transform((text) => text.split(',') as DeliveryState[])
    .optional()
    .meta({ description: 'One or several, separated by commas', examples: ['failed,bounced'] }),
  reason: z.enum(reasons).optional(),
  category: label.optional(),
  notification_id: id.optional(),
  template: label.optional().meta({ description: 'The id or the key of a template' }),
  provider_account_id: id.optional(),
  created_from: time.optional().meta({ description: 'Inclusive. The time in the id of a delivery counts' }),
  created_to: time.optional().meta({ description: 'Exclusive' }),
});
export type SearchQuery = z.infer<typeof searchQuery>;
