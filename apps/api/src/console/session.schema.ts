import { z } from 'zod';
import type { KnownSession, Tenant } from '#database';
import { type Role, roles, scopesOf } from '#domain';
import type { ConsoleSession } from '../access/console-session.js';
import { id, time } from '../http/schemas.js';

const secret = z.string().min(1).max(500);

export const signInBody = z
  .union([z.strictObject({ api_key: secret }), z.strictObject({ operator_token: secret })], {
    error: 'must have either api_key or operator_token',
  })
  .meta({ id: 'ConsoleSignIn' });
export type SignInBody = z.infer<typeof signInBody>;

export const noSessionView = z
  .object({
    signed_in: z.literal(false),
    oidc: z.object({ name: z.string() }).nullable().meta({ description: 'The button for sign-in with OIDC' }),
    operator: z.boolean().meta({ description: 'Whether operators may sign in at this address' }),
  })
  .meta({ id: 'NoConsoleSession' });

export const sessionView = z
  .object({
    signed_in: z.literal(true),
    kind: z.enum(['api_key', 'operator_token', 'oidc']),
    name: z.string().meta({ description: 'Of the API key or the person' }),
    role: z.enum(roles).nullable().meta({ description: 'null for an API key' }),
    tenant: z
      .object({ id, name: z.string(), mode: z.enum(['live', 'test']) })
      .nullable()
      .meta({ description: 'The tenant of the API key; null for an operator' }),
    scopes: z.array(z.string()).meta({ description: 'For the routes of a tenant' }),
    expires_at: time,
  })
  .meta({ id: 'ConsoleSession' });

export const anySessionView = z.discriminatedUnion('signed_in', [noSessionView, sessionView]);

export function toSessionView({ known, key }: ConsoleSession, tenant: Tenant | null) {
  const { kind, name, role, expiresAt } = known;
  return {
    signed_in: true as const,
    kind,
    name,
    role,
    tenant: tenant && { id: tenant.id, name: tenant.name, mode: tenant.testOf === null ? 'live' : 'test' },
    scopes: [...(key?.scopes ?? scopesOfSession(known))].sort(),
    expires_at: expiresAt.toISOString(),
  };
}

function scopesOfSession({ role }: Pick<KnownSession, 'role'> & { role: Role | null }): ReadonlySet<string> {
  return role === null ? new Set() : scopesOf(role);
}
