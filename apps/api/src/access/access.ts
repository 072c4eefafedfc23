import { applyDecorators, createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ApiHeader, ApiSecurity } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Role, Scope, TenantSettings } from '#domain';
import type { AcceptTrace } from '#telemetry';
import { type Access, routeConfig } from '../http/route-config.js';
import type { ConsoleSession } from './console-session.js';
import type { InboxIdentity } from './inbox-tokens.js';

export const ACCESS = 'carillon:access';

/** No authentication. */
export const Public = (): MethodDecorator => access({ kind: 'public' });
/** A tenant's API key with this scope. The OpenAPI document names the scope too. */
export const RequireApiKey = (scope: Scope): MethodDecorator =>
  access({ kind: 'tenant', scope }, ApiSecurity('tenant', [scope]));
/** Any API key, whatever its scopes. */
export const RequireAnyApiKey = (): MethodDecorator =>
  access({ kind: 'tenant', scope: null }, ApiSecurity('tenant', []));
/**
 * The operator's token, or a session of an operator with this role: by default a viewer's for a GET, and an admin's
 * for other methods.
 */
export const RequireOperator = ({ role }: { role?: Role } = {}): MethodDecorator =>
  access({ kind: 'operator', role }, ApiSecurity('operator'));
/** A route of the console itself, which works without a session too. */
export const ForConsole = (): MethodDecorator => access({ kind: 'console' });
/** A recipient's token, or a tenant's key and X-Recipient-ID. */
export const RequireRecipient = (scope: Scope): MethodDecorator =>
  access(
    { kind: 'recipient', scope },
    ApiSecurity('recipient', [scope]),
    ApiSecurity('tenant', [scope]),
    ApiHeader({ name: 'X-Recipient-ID', required: false, description: 'Required with an API key' }),
  );

function access(rule: Access, ...documented: MethodDecorator[]): MethodDecorator {
  return applyDecorators(SetMetadata(ACCESS, rule), routeConfig({ access: rule }), ...documented);
}

/** The authenticated tenant, and how it authenticated. */
export interface Caller {
  tenantId: string;
  /** Null for a recipient token, and for an operator. */
  keyId: string | null;
  settings: TenantSettings;
  /** Of the API key or the recipient token. */
  scopes: ReadonlySet<string>;
  /** Set on inbox routes only. */
  recipientId: string | null;
  /** Set for a recipient token only. */
  token: InboxIdentity | null;
  /** The W3C trace context of the request, when it is valid. */
  traceparent: string | null;
}

export interface CarillonRequest extends FastifyRequest {
  /** The access rule that the request has passed. */
  authorized?: Access;
  caller?: Caller;
  /** Of a request of the console with a valid session. */
  consoleSession?: ConsoleSession | null;
  traceparent?: string | null;
  /** Of a request that creates notifications, while traces are on. */
  trace?: AcceptTrace | undefined;
}

/** The caller of a tenant or recipient route. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<CarillonRequest>();
  if (!caller) throw new Error('CurrentCaller is used on a route that is not a tenant or recipient route');
  return caller;
});
