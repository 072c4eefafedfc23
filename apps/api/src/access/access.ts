import { applyDecorators, createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ApiHeader, ApiSecurity } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { Scope, TenantSettings } from '#domain';
import type { AcceptTrace } from '#telemetry';
import { type Access, routeConfig } from '../http/route-config.js';
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
/** The operator's token. */
export const RequireOperator = (): MethodDecorator => access({ kind: 'operator' }, ApiSecurity('operator'));
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
