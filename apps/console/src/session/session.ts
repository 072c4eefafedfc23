import { createContext, useContext } from 'react';
import type { ConsoleSession, NoConsoleSession } from '#client';

/** The answer of `GET /console/session` after the sign-in. For an operator, `scopes` hold in each tenant. */
export type Session = ConsoleSession;
export type SignedOut = NoConsoleSession;

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
