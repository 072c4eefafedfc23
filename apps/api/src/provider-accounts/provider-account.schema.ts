import { z } from 'zod';
import { channelIds } from '#domain';
import { id, jsonObject, time } from '../http/schemas.js';

const name = z.string().min(1).max(100);
const order = z.int().min(0).max(1_000).meta({ description: 'Accounts are tried in this order, lowest first' });
const pace = z
  .number()
  .min(0.001)
  .max(100_000)
  .nullable()
  .meta({ description: 'Sends per second over all workers. null: the default limit of the vendor' });
const credentials = jsonObject.meta({
  description: 'Write-only. GET /api/v1/providers has the schema of each provider',
});

export const accountBody = z
  .strictObject({
    name,
    provider: z.string().min(1).max(64),
    channel: z.enum(channelIds).optional(),
    credentials,
    order: order.default(0),
    enabled: z.boolean().default(true),
    pace_per_second: pace.default(null),
  })
  .meta({ id: 'ProviderAccountBody' });
export type AccountBody = z.infer<typeof accountBody>;

export const accountPatch = z
  .strictObject({
    name: name.optional(),
    credentials: jsonObject.optional().meta({
      description: 'All of them. A secret that comes back as it was shown, masked, keeps its value',
    }),
    order: order.optional(),
    enabled: z.boolean().optional(),
    pace_per_second: pace.optional(),
  })
  .meta({ id: 'ProviderAccountPatch' });
export type AccountPatch = z.infer<typeof accountPatch>;

export const accountView = z
  .object({
    id,
    name: z.string(),
    provider: z.string(),
    channel: z.enum(channelIds),
    credentials: jsonObject.meta({ description: 'Secrets masked' }),
    order: z.int(),
    enabled: z.boolean(),
    pace_per_second: z.number().nullable(),
    health: z
      .object({
        breaker: z.enum(['closed', 'half_open', 'open']),
        code: z.string().nullable(),
        detail: z.string().nullable(),
        since: time.nullable(),
      })
      .meta({ description: 'The circuit breaker of the account. open: sends are paused after failures' }),
    receipts_url: z.string().nullable().meta({
      description: 'The URL for receipts of the vendor. null when the vendor sends none or PUBLIC_URL is not set',
    }),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'ProviderAccount' });

export const verifyView = z
  .object({ ok: z.boolean(), kind: z.string().nullable(), code: z.string().nullable(), detail: z.string().nullable() })
  .meta({ id: 'Verification' });

export const providerView = z
  .object({
    id: z.string(),
    name: z.string(),
    channels: z.array(z.enum(channelIds)),
    credentials: jsonObject.meta({ description: 'JSON Schema. Secret fields have "secret": true' }),
  })
  .meta({ id: 'Provider' });
