import { z } from 'zod';
import { channelIds, decidingRules, type EffectiveCategory } from '#domain';
import { categoryKey, time } from '../http/schemas.js';
import { choices } from '../recipients/recipient.schema.js';

const set = z.strictObject(choices).prefault({}).meta({ id: 'PreferenceSet' });

export const rulesBody = z
  .strictObject({
    defaults: set.meta({ description: 'Apply where the recipient has not chosen' }),
    enforced: set.meta({ description: 'Apply whatever the recipient has chosen' }),
  })
  .meta({ id: 'PreferenceRules', description: 'The whole set. docs/preferences.md has the order of all rules' });
export type RulesBody = z.infer<typeof rulesBody>;

const effectiveChoice = z
  .object({
    enabled: z.boolean(),
    rule: z.enum(Object.keys(decidingRules)).meta({ description: 'The setting that decided; docs/reasons.md' }),
    changeable: z.boolean().meta({ description: 'Whether the recipient can change it' }),
  })
  .meta({ id: 'EffectiveChoice' });

export const effectiveView = z
  .object({
    categories: z.array(
      z.object({
        key: categoryKey,
        name: z.string().nullable().meta({ description: 'null for a category that the tenant has not created' }),
        channels: z.record(z.enum(channelIds), effectiveChoice),
      }),
    ),
  })
  .meta({
    id: 'EffectivePreferences',
    description:
      "Of the tenant's first 200 categories by key, of `default`, and of those that the recipient has chosen",
  });

export function toEffectiveView(categories: EffectiveCategory[]) {
  return { categories };
}

/** 90 days. */
export const DEFAULT_LINK_SECONDS = 7_776_000;

export const linkBody = z
  .strictObject({ ttl_seconds: z.int().min(60).max(31_536_000).default(DEFAULT_LINK_SECONDS) })
  .meta({ id: 'PreferencesLinkBody' });

export const linkView = z
  .object({
    url: z.url().nullable().meta({ description: 'null if PUBLIC_URL is not set' }),
    path: z.string().meta({ description: 'The same address without its host' }),
    expires_at: time,
  })
  .meta({ id: 'PreferencesLink' });
