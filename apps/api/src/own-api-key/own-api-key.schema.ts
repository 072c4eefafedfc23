import { z } from 'zod';
import type { DescribedKey } from '#database';
import { scopes } from '#domain';
import { id, time } from '../http/schemas.js';

export const ownApiKeyView = z
  .object({
    tenant: z.object({ id, name: z.string() }),
    name: z.string(),
    mode: z.enum(['live', 'test']),
    scopes: z.array(z.enum(scopes)),
    expires_at: time.nullable(),
  })
  .meta({ id: 'OwnApiKey', description: 'The key that the request was made with' });
export type OwnApiKeyView = z.infer<typeof ownApiKeyView>;

export function toOwnApiKeyView(key: DescribedKey): OwnApiKeyView {
  const { tenantId, tenantName, name, mode, scopes: held, expiresAt } = key;
  return {
    tenant: { id: tenantId, name: tenantName },
    name,
    mode,
    scopes: held,
    expires_at: expiresAt?.toISOString() ?? null,
  };
}
