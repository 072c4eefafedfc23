import { z } from 'zod';
import type { ApiKey } from '#database';
import { isIpRange, scopes } from '#domain';
import { id, time } from '../http/schemas.js';

const DAY_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 30 * DAY_SECONDS;
const MAX_ALLOWED_IPS = 100;

const ipRange = z
  .string()
  .max(64)
  .refine(isIpRange, 'must be an IPv4 or IPv6 address or a CIDR range like 192.0.2.0/24');
const allowedIps = z.array(ipRange).min(1).max(MAX_ALLOWED_IPS);

export const keyBody = z
  .strictObject({
    name: z.string().min(1).max(200),
    scopes: z
      .array(z.enum(scopes))
      .min(1)
      .default([...scopes]),
    mode: z.enum(['live', 'test']).default('live'),
    expires_at: time.optional(),
    allowed_ips: allowedIps.optional().meta({
      description: 'Addresses and CIDR ranges, IPv4 or IPv6, from which the key may be used. All, if absent',
    }),
  })
  .meta({ id: 'ApiKeyBody' });
export type KeyBody = z.infer<typeof keyBody>;

export const rotationBody = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(MAX_OVERLAP_SECONDS)
      .default(DAY_SECONDS)
      .meta({ description: 'How long the old key stays valid' }),
    expires_at: time.optional().meta({ description: 'When the new key expires. Never, if absent' }),
  })
  .meta({ id: 'ApiKeyRotation' });
export type RotationBody = z.infer<typeof rotationBody>;

export const keyView = z
  .object({
    id,
    tenant_id: id,
    key_id: z.string(),
    name: z.string(),
    mode: z.enum(['live', 'test']),
    scopes: z.array(z.enum(scopes)),
    allowed_ips: z.array(z.string()).nullable().meta({ description: 'null: all addresses' }),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    last_used_at: time.nullable().meta({ description: 'Written once a minute' }),
  })
  .meta({ id: 'ApiKey' });
export const newKeyView = keyView
  .extend({ api_key: z.string().meta({ description: 'Shown only once' }) })
  .meta({ id: 'NewApiKey' });
export const keyParam = z.object({ id, keyId: id });

export function toKeyView(key: ApiKey): z.infer<typeof keyView> {
  return {
    id: key.id,
    tenant_id: key.tenantId,
    key_id: key.keyId,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes,
    allowed_ips: key.allowedIps.length > 0 ? key.allowedIps : null,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  };
}
