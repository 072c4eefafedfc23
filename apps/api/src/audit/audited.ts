import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiExtension } from '@nestjs/swagger';
import type { AuditNote } from '#database';
import type { AuditAction } from '#domain';
import type { CarillonRequest } from '../access/access.js';
import { actorOf } from '../access/console-sessions.js';
import { routeConfig, routeConfigOf } from '../http/route-config.js';

/**
 * The action that a route writes to the audit log. Required on every operator route that changes something; the route
 * passes its {@link CurrentAudit} to the store, which writes the entry in the transaction of the change. The OpenAPI
 * document shows the action as `x-audit-action`.
 */
export const Audited = (action: AuditAction): MethodDecorator =>
  applyDecorators(routeConfig({ audited: action }), ApiExtension('x-audit-action', action));

/** The note with which a store writes the audit entry of this request. Only on routes with {@link Audited}. */
export const CurrentAudit = createParamDecorator((_: unknown, context: ExecutionContext): AuditNote => {
  const request = context.switchToHttp().getRequest<CarillonRequest>();
  const { audited } = routeConfigOf(request);
  if (!audited) throw new Error(`the route ${request.method} ${request.routeOptions.url} has no @Audited()`);
  return {
    action: audited,
    actor: actorOfRequest(request),
    sourceAddress: request.ip,
    requestId: String(request.id),
  };
});

function actorOfRequest(request: CarillonRequest): string {
  const { caller, consoleSession } = request;
  if (consoleSession) return actorOf(consoleSession.known);
  if (caller?.keyId) return `key:${caller.keyId}`;
  const kind = routeConfigOf(request).access?.kind;
  if (kind === 'operator') return 'operator';
  // A sign-in: its actor is known when it has succeeded.
  if (kind === 'console') return 'nobody';
  throw new Error('a change without an API key has no actor');
}
