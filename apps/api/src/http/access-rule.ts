import type { Scope } from '#domain';

/** The access rule of a route. Required: AccessGuard rejects routes without one. */
export type Access =
  | { kind: 'public' }
  | { kind: 'tenant'; scope: Scope }
  | { kind: 'operator' }
  /** A recipient token, or an API key with X-Recipient-ID. */
  | { kind: 'recipient'; scope: Scope };
