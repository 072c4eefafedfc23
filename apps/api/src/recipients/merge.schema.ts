import { z } from 'zod';
import { mergeResults, type RecipientMerge } from '#database';
import { caps, MAX_DEVICES, quietHours } from '#domain';
import { checkedItems, recipientId, rejectedItem } from '../http/schemas.js';
import { choices, deviceBody, recipientBody } from './recipient.schema.js';

/** One item of `recipients`. */
export const mergeItem = z.strictObject({
  id: recipientId,
  ...recipientBody.shape,
  preferences: z
    .strictObject({
      channels: choices.channels.unwrap().optional(),
      categories: choices.categories.unwrap().optional(),
      quiet_hours: quietHours.nullable().optional(),
      caps: caps.optional(),
    })
    .optional()
    .meta({ description: 'Channels and categories are merged, quiet hours and caps replaced' }),
  devices: z.array(deviceBody).max(MAX_DEVICES).optional().meta({ description: 'Added to those that are there' }),
});
type MergeItem = z.infer<typeof mergeItem>;

export const mergeBody = z
  .strictObject({ recipients: checkedItems(mergeItem, 1_000) })
  .meta({ id: 'RecipientMerges', description: 'Fields that an item does not have stay as they are' });
export type MergeBody = z.infer<typeof mergeBody>;

export const mergeView = z
  .object({
    accepted: z.array(z.object({ index: z.int(), id: recipientId, result: z.enum(mergeResults) })),
    rejected: z.array(rejectedItem),
  })
  .meta({ id: 'RecipientMergeResult' });
export type MergeView = z.infer<typeof mergeView>;

export function toMerge({ id, preferences, devices, attributes, ...fields }: MergeItem): RecipientMerge {
  return {
    id,
    fields: given({ ...fields, ...(attributes !== undefined && { attributes: attributes ?? {} }) }),
    preferences: preferences ? given(withQuietHours(preferences)) : null,
    devices: devices ?? [],
  };
}

function withQuietHours({ quiet_hours: quietHours, ...rest }: NonNullable<MergeItem['preferences']>) {
  return { ...rest, quietHours };
}

/** Without fields that are undefined. */
function given<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };
}
