import { createContext, useContext } from 'react';

/** Who is signed in: the answer of `GET /console/session`. */
export interface Session {
  signed_in: true;
  kind: 'api_key' | 'operator_token' | 'oidc';
  /** Of the API key, or of the person. */
  name: string;
  /** Null for the session of a tenant's key. */
  role: 'viewer' | 'operator' | 'admin' | null;
  /** Null for an operator, who sees all tenants. */
  tenant: { id: string; name: string; mode: 'live' | 'test' } | null;
  /** Of the API key; for an operator, in each tenant. */
  scopes: string[];
  expires_at: string;
}

export interface SignedOut {
  signed_in: false;
  /** The name on the button, if an OIDC provider is configured. */
  oidc: { name: string } | null;
  /** Operators may sign in at this address. */
  operator: boolean;
}

export interface SessionActions {
  signIn(credentials: { api_key: string } | { operator_token: string }): Promise<void>;
  signOut(): Promise<void>;
}

export const SessionContext = createContext<(Session & SessionActions) | null>(null);

/** The signed-in session. Only for components inside `SessionGate`. */
export function useSession(): Session & SessionActions {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession is used outside SessionGate');
  return session;
}

/** Whether the session has the scope, such as `templates:write`. Forms and buttons that need it are hidden without. */
export function useScope(scope: string): boolean {
  return useSession().scopes.includes(scope);
}

const RANK = { viewer: 0, operator: 1, admin: 2 };

/** Whether the session may use the operator's routes that need this role. */
export function useRole(needed: keyof typeof RANK): boolean {
  const { role } = useSession();
  return role !== null && RANK[role] >= RANK[needed];
}
