// The routes of the OpenAPI document with their access rules, and the WebSocket endpoint, which the document names only
// in a summary.

import type { Scope } from '#domain';
import type { Json } from '../test-environment.js';

export type AccessKind = 'public' | 'tenant' | 'recipient' | 'socket' | 'operator';

export interface Route {
  /** `GET /api/v1/notifications/{id}` */
  name: string;
  method: string;
  path: string;
  access: AccessKind;
  /** Of tenant and recipient routes and sockets. */
  scope: Scope | undefined;
  /** The documented status codes. */
  statuses: number[];
  hasBody: boolean;
  /** How a client of the socket sends its token. */
  tokenIn?: 'header' | 'protocol' | 'query';
}

const STREAM = '/api/v1/inbox/stream';
type Security = Partial<Record<'tenant' | 'recipient' | 'operator', Scope[]>>;

export function routesOf(document: Json): Route[] {
  const routes = Object.entries<Record<string, Json>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => routeOf(method.toUpperCase(), path, operation)),
  );
  const sockets = (['header', 'protocol', 'query'] as const).map(
    (tokenIn): Route => ({
      name: `WebSocket ${STREAM}, token in the ${tokenIn}`,
      method: 'GET',
      path: STREAM,
      access: 'socket',
      scope: 'inbox:read',
      statuses: [101],
      hasBody: false,
      tokenIn,
    }),
  );
  return [...routes, ...sockets];
}

function routeOf(method: string, path: string, { security = [], responses, requestBody }: Json): Route {
  const rules = security as Security[];
  const named = (kind: keyof Security): Security | undefined => rules.find((rule) => rule[kind]);
  const access = named('operator')
    ? 'operator'
    : named('recipient')
      ? 'recipient'
      : named('tenant')
        ? 'tenant'
        : 'public';
  return {
    name: `${method} ${path}`,
    method,
    path,
    access,
    scope: named('tenant')?.tenant?.[0],
    statuses: Object.keys(responses).map(Number),
    hasBody: requestBody !== undefined && requestBody.required !== false,
  };
}
