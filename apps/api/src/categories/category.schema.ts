import { z } from 'zod';
import type { Category, CategoryFields } from '#database';
import { digestPolicy, excessPolicies, holdPolicies } from '#domain';
import { categoryKey, time } from '../http/schemas.js';

const fields = {
  name: z.string().min(1).max(100),
  default_enabled: z
    .boolean()
    .default(true)
    .meta({ description: 'Whether recipients without a preference for the category receive it' }),
  mandatory: z
    .boolean()
    .default(false)
    .meta({ description: 'Ignores preferences and unsubscribes, but not suppressions after a bounce or a complaint' }),
  unknown_outcome: z.enum(['resend', 'hold']).nullable().default(null).meta({
    description: 'What to do when a provider may or may not have sent a message. null: the default of the channel',
  }),
  on_hold: z
    .enum(holdPolicies)
    .default('hold')
    .meta({
      description:
        'What quiet hours do with a delivery: send it afterwards, combine it with others of the category, ' +
        'put it into the inbox instead, or drop it',
    }),
  on_cap: z
    .enum(excessPolicies)
    .nullable()
    .default(null)
    .meta({ description: 'What a frequency cap does with a delivery beyond it. null: on_excess of the cap' }),
  bypass_quiet_hours: z.boolean().default(false),
  bypass_caps: z.boolean().default(false),
  digest: digestPolicy
    .nullable()
    .default(null)
    .meta({ description: 'Collects the items of a recipient and sends them in one message' }),
};
export const categoryBody = z.strictObject(fields).meta({ id: 'CategoryBody' });
export type CategoryBody = z.infer<typeof categoryBody>;
export const categoryView = z
  .object({ key: categoryKey, ...fields, created_at: time, updated_at: time })
  .meta({ id: 'Category' });

export function toFields(body: CategoryBody): CategoryFields {
  return {
    name: body.name,
    defaultEnabled: body.default_enabled,
    mandatory: body.mandatory,
    unknownOutcome: body.unknown_outcome,
    onHold: body.on_hold,
    onCap: body.on_cap,
    bypassQuietHours: body.bypass_quiet_hours,
    bypassCaps: body.bypass_caps,
    digest: body.digest,
  };
}

export function toCategoryView(category: Category) {
  return {
    key: category.key,
    name: category.name,
    default_enabled: category.defaultEnabled,
    mandatory: category.mandatory,
    unknown_outcome: category.unknownOutcome,
    on_hold: category.onHold,
    on_cap: category.onCap,
    bypass_quiet_hours: category.bypassQuietHours,
    bypass_caps: category.bypassCaps,
    digest: category.digest,
    created_at: category.createdAt.toISOString(),
    updated_at: category.updatedAt.toISOString(),
  };
}
