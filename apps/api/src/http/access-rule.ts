import type { Scope } from '#domain';

/** Who may call a route. Every route says it: the guard refuses one that does not. */
export type Access =
  | { kind: 'public' }
  | { kind: 'tenant'; scope: Scope }
  | { kind: 'operator' }
  /** A recipient with a token, or a tenant that names one in X-Recipient-ID. */
  | { kind: 'recipient'; scope: Scope };
