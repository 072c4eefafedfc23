import { z } from 'zod';
import { caps, quietHours } from './audience/policies.js';
import { timezone } from './audience/timezone.js';
import { channelIds } from './channels/registry.js';
import { MOST_SMS_SEGMENTS } from './sms-segments.js';

const limit = z.strictObject({
  limit: z.int().min(1).max(100_000),
  window_seconds: z.int().min(1).max(2_678_400),
});

/** A BCP 47 language tag in the simple forms that templates use: `en`, `fr-CA`, `zh-Hant-TW`. */
export const localeTag = z
  .string()
  .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/, 'must be a language tag like "en" or "fr-CA"')
  .meta({ id: 'Locale' });

const brand = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  color: z
    .string()
    .regex(/^#[0-9a-f]{6}$/i, 'must be a colour like "#1a2b3c"')
    .optional(),
});

/** The settings of a tenant. Each is optional and has a default. */
export const tenantSettings = z
  .strictObject({
    recipient_limits: z.partialRecord(z.enum(channelIds), limit).optional(),
    requests_per_minute: z.int().min(1).max(10_000_000).optional(),
    // Of one recipient, with recipient tokens.
    recipient_requests_per_minute: z.int().min(1).max(10_000_000).optional(),
    retry_schedule_seconds: z.array(z.number().min(0).max(604_800)).max(20).optional(),
    sms_max_segments: z.int().min(1).max(MOST_SMS_SEGMENTS).optional(),
    locale: localeTag.optional(),
    // Of recipients without one.
    timezone: timezone.optional(),
    // Of recipients without hours of their own.
    quiet_hours: quietHours.optional(),
    // By channel, for every recipient, in addition to all other quiet hours.
    quiet_hours_floor: z
      .partialRecord(z.enum(channelIds), quietHours)
      .refine((floor) => floor.webhook === undefined, {
        error: 'webhooks are not subject to quiet hours',
        path: ['webhook'],
      })
      .optional(),
    // The time over which deliveries leave after quiet hours.
    quiet_hours_spread_seconds: z.int().min(0).max(3_600).optional(),
    // For every recipient, in addition to the recipient's own.
    caps: caps.optional(),
    deliveries_per_day: z.int().min(1).max(1_000_000_000).optional(),
    deliveries_per_month: z.int().min(1).max(10_000_000_000).optional(),
    // Of the pages that recipients see.
    brand: brand.optional(),
    // At least 3 days, because a send that is repeated within 48 hours is answered from its notification.
    retention_days: z.int().min(3).max(3_650).optional(),
    allowed_origins: z.array(z.url()).max(50).optional(),
  })
  .meta({ id: 'TenantSettings' });

export type TenantSettings = z.infer<typeof tenantSettings>;

export const DEFAULT_REQUESTS_PER_MINUTE = 6_000;
export const DEFAULT_RECIPIENT_REQUESTS_PER_MINUTE = 600;

/** The scopes that an API key can have. A key that is created without scopes has all of them. */
export const scopes = [
  'notifications:write',
  'notifications:read',
  'recipients:write',
  'recipients:read',
  'preferences:write',
  'templates:write',
  'templates:read',
  'provider_accounts:write',
  'provider_accounts:read',
  'inbox:write',
  'inbox:read',
  'categories:write',
  'categories:read',
  'suppressions:write',
  'suppressions:read',
  'topics:write',
  'topics:read',
  'webhooks:write',
  'webhooks:read',
  'schedules:write',
  'schedules:read',
  'dead_letters:write',
  'dead_letters:read',
  'mailbox:write',
  'mailbox:read',
] as const;
export type Scope = (typeof scopes)[number];
