import { z } from 'zod';
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

/** A name of an IANA time zone that the runtime supports. */
export const timezone = z
  .string()
  .max(64)
  .refine((name) => isTimezone(name), { error: 'must be an IANA time zone like "Europe/Paris"' })
  .meta({ id: 'Timezone' });

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

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
  'webhooks:write',
  'webhooks:read',
  'mailbox:write',
  'mailbox:read',
] as const;
export type Scope = (typeof scopes)[number];
