// The roles of operators in the console.

import { type Scope, scopes } from '../tenant-settings.js';

/** The lowest first; each may do what the ones before it may. */
export const roles = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** An operator may change for a tenant what moves deliveries, and what people ask the support to change. */
const OPERATOR_WRITES: readonly Scope[] = [
  'notifications:write',
  'dead_letters:write',
  'webhooks:write',
  'suppressions:write',
  'recipients:write',
];

const scopesByRole: Readonly<Record<Role, ReadonlySet<string>>> = {
  viewer: new Set(scopes.filter((scope) => scope.endsWith(':read'))),
  operator: new Set(scopes.filter((scope) => scope.endsWith(':read') || OPERATOR_WRITES.includes(scope))),
  admin: new Set(scopes),
};

/** The scopes that an operator with this role has for the routes of a tenant. */
export function scopesOf(role: Role): ReadonlySet<string> {
  return scopesByRole[role];
}

export function hasRole(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

/** The lowest role that has the scope. */
export function roleFor(scope: string): Role {
  return roles.find((role) => scopesByRole[role].has(scope)) ?? 'admin';
}
