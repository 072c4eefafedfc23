import { z } from 'zod';
import type { Device, Preferences, Recipient } from '#database';
import {
  caps,
  channelIds,
  emailAddress,
  localeTag,
  MAX_ATTRIBUTES_BYTES,
  MAX_DEVICE_TOKEN_BYTES,
  MAX_PREFERENCE_CATEGORIES,
  phoneNumber,
  quietHours,
  timezone,
} from '#domain';
import { categoryKey, filteredPage, jsonObject, NO_DOT_SEGMENT, recipientId, time } from '../http/schemas.js';

export const recipientAttributes = jsonObject.refine(
  (attributes) => Buffer.byteLength(JSON.stringify(attributes)) <= MAX_ATTRIBUTES_BYTES,
  { error: `must have at most ${MAX_ATTRIBUTES_BYTES} bytes of JSON`, params: { code: 'too_large' } },
);

export const recipientBody = z
  .strictObject({
    email: emailAddress.nullish(),
    phone: phoneNumber.nullish(),
    locale: localeTag.nullish(),
    timezone: timezone.nullish(),
    attributes: recipientAttributes.nullish(),
  })
  .meta({ id: 'RecipientBody' });
export type RecipientBody = z.infer<typeof recipientBody>;

export const recipientView = z
  .object({
    id: recipientId,
    email: z.string().nullable(),
    phone: z.string().nullable(),
    locale: z.string().nullable(),
    timezone: z.string().nullable(),
    attributes: jsonObject,
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Recipient' });

export const exportLine = z
  .object({ kind: z.string(), data: jsonObject })
  .meta({ id: 'ExportLine', description: 'docs/export.md lists the kinds. The last line has the kind `end`' });

export const erasedView = z
  .object({ id: recipientId, erased_at: time, erased: z.record(z.string(), z.int()) })
  .meta({ id: 'ErasureReceipt' });

const TOO_LONG = `must have at most ${MAX_DEVICE_TOKEN_BYTES} bytes`;
const deviceToken = z
  .string()
  .min(1)
  .max(MAX_DEVICE_TOKEN_BYTES, TOO_LONG)
  .refine((token) => Buffer.byteLength(token) <= MAX_DEVICE_TOKEN_BYTES, TOO_LONG)
  .refine(...NO_DOT_SEGMENT);

export const deviceBody = z
  .strictObject({ token: deviceToken, platform: z.enum(['ios', 'android', 'web']) })
  .meta({ id: 'DeviceBody' });
export const deviceView = z
  .object({ token: z.string(), platform: z.enum(['ios', 'android', 'web']), created_at: time, last_seen_at: time })
  .meta({ id: 'Device' });

const byChannel = z.partialRecord(z.enum(channelIds), z.boolean());

/** Of a recipient, and of the rules of a tenant. */
export const choices = {
  channels: byChannel.default({}),
  categories: z
    .record(categoryKey, z.strictObject({ enabled: z.boolean().optional(), channels: byChannel.optional() }))
    .refine(
      (categories) => Object.keys(categories).length <= MAX_PREFERENCE_CATEGORIES,
      `must name at most ${MAX_PREFERENCE_CATEGORIES} categories`,
    )
    .default({})
    .meta({ description: 'A preference for one channel of a category overrides the one for the category' }),
};

export const preferencesBody = z
  .strictObject({
    ...choices,
    quiet_hours: quietHours.nullable().default(null).meta({
      description: 'Hours without messages. null: the default of the tenant. No windows: no quiet hours',
    }),
    caps: caps.default([]).meta({ description: "Limits on messages, in addition to the tenant's" }),
  })
  .meta({
    id: 'Preferences',
    description: 'The whole set. Everything else has the default of its category, or is enabled',
  });

export type PreferencesBody = z.infer<typeof preferencesBody>;

export function toPreferences({ quiet_hours: quietHours, ...rest }: PreferencesBody): Preferences {
  return { ...rest, quietHours };
}

export function toPreferencesView({ quietHours, ...rest }: Preferences) {
  return { ...rest, quiet_hours: quietHours };
}

export const recipientQuery = filteredPage({
  email: z.string().min(1).max(320).optional().meta({ description: 'The whole address, as stored or in lower case' }),
  // A `+` that is not encoded arrives as a space. Part of a number finds nothing, as part of an address does.
  phone: z
    .string()
    .regex(/^[+ ]\d{1,15}$/, 'must be a number like +15005550000')
    .transform((text) => text.replace(' ', '+'))
    .optional()
    .meta({ description: 'The whole number, such as +15005550000' }),
});
export type RecipientQuery = z.infer<typeof recipientQuery>;

export const recipientParam = z.object({ id: recipientId });
export const deviceParam = z.object({ id: recipientId, token: z.string().min(1).max(4_096) });

/** The scopes of a token that is minted without a list. `preferences:write` is only given if the list has it. */
export const inboxScopes = ['inbox:read', 'inbox:write'] as const;
export const tokenBody = z
  .strictObject({
    scopes: z
      .array(z.enum([...inboxScopes, 'preferences:write']))
      .min(1)
      .optional()
      .meta({ description: 'Scopes that the API key has. If absent, each scope of the inbox that the key has' }),
    ttl_seconds: z.int().min(60).max(3_600).default(600),
  })
  .meta({ id: 'InboxTokenBody' });
export const tokenView = z.object({ token: z.string(), expires_in: z.int() }).meta({ id: 'InboxToken' });

export function toRecipientView(recipient: Recipient) {
  const { createdAt, updatedAt, ...fields } = recipient;
  return { ...fields, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}

export function toDeviceView(device: Device) {
  return {
    token: device.token,
    platform: device.platform,
    created_at: device.createdAt.toISOString(),
    last_seen_at: device.lastSeenAt.toISOString(),
  };
}
