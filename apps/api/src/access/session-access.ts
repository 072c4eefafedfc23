import { Injectable } from '@nestjs/common';
import { DomainError, hasRole, isId, notFound, PLATFORM_TENANT_ID, type Role, roleFor, scopesOf } from '#domain';
import { isOnOperatorListener } from '../http/http-listeners.js';
import { validationFailed } from '../http/request-schema.pipe.js';
import type { Caller, CarillonRequest } from './access.js';
import type { ConsoleSession } from './console-session.js';
import { ConsoleSessions } from './console-sessions.js';
import { KnownTenants } from './known-tenants.js';
import { OperatorAccess } from './operator-access.js';
import { isFromConsole } from './session-cookie.js';

/** The rights of a session of the console: those of its API key, or of the operator's role. */
@Injectable()
export class SessionAccess {
  constructor(
    private readonly sessions: ConsoleSessions,
    private readonly operators: OperatorAccess,
    private readonly tenants: KnownTenants,
  ) {}

  /** Whether the session decides, and not an API key. The operator's listener takes no API keys. */
  decides(request: CarillonRequest): boolean {
    if (!isFromConsole(request)) return false;
    const { headers } = request;
    const hasKey = headers['x-api-key'] !== undefined || headers.authorization !== undefined;
    return !hasKey || isOnOperatorListener(request);
  }

  /** Throws `unauthenticated` without a session. */
  async require(request: CarillonRequest): Promise<ConsoleSession> {
    const session = await this.sessions.of(request);
    if (!session)
      throw new DomainError('unauthenticated', 'Sign in to the console: there is no session, or it has ended.');
    request.consoleSession = session;
    return session;
  }

  /** For a route of the operator. Throws `unauthenticated`, `rate_limited`, or `forbidden` with the needed role. */
  async operator(request: CarillonRequest, needed: Role): Promise<void> {
    const session = await this.require(request);
    const role = this.roleOf(session);
    if (!hasRole(role, needed))
      throw new DomainError('forbidden', `This needs the role ${needed}, and this session has the role ${role}.`);
  }

  /** The caller of a tenant's route in a session of an operator. X-Carillon-Tenant names the tenant. */
  async callerOf(
    request: CarillonRequest,
    session: ConsoleSession,
    scope: string | null,
  ): Promise<Pick<Caller, 'tenantId' | 'settings' | 'scopes'>> {
    const role = this.roleOf(session);
    const tenant = await this.namedTenant(request);
    const scopes = scopesOf(role);
    if (scope === null) throw new DomainError('forbidden', 'This route is about an API key, and an operator has none.');
    if (!scopes.has(scope))
      throw new DomainError(
        'forbidden',
        `This needs the scope ${scope} of the role ${roleFor(scope)}, and this session has the role ${role}.`,
      );
    if (tenant.status === 'suspended' && !scope.endsWith(':read'))
      throw new DomainError('forbidden', 'This tenant is suspended, so it can only be read.');
    return { tenantId: tenant.id, settings: tenant.settings, scopes };
  }

  private roleOf({ known }: ConsoleSession): Role {
    if (known.role === null)
      throw new DomainError('forbidden', 'This session has an API key of a tenant. Sign in as an operator.');
    this.operators.takeRequest(known.id);
    return known.role;
  }

  private async namedTenant(request: CarillonRequest) {
    const id = request.headers['x-carillon-tenant'];
    if (typeof id !== 'string' || id === '')
      throw validationFailed([
        {
          pointer: 'X-Carillon-Tenant',
          code: 'required',
          message: 'must name the tenant, in a session of an operator',
        },
      ]);
    const tenant = isId(id) && id !== PLATFORM_TENANT_ID ? await this.tenants.get(id.toLowerCase()) : null;
    if (!tenant) throw notFound('tenant', id);
    return tenant;
  }
}

/** Throws `forbidden` if a session of a tenant names a tenant. */
export function checkNoTenant({ headers }: CarillonRequest): void {
  if (headers['x-carillon-tenant'] === undefined) return;
  throw new DomainError(
    'forbidden',
    'X-Carillon-Tenant is for sessions of operators. This session has the tenant of its API key.',
  );
}

/**
 * For routes that read or write for a long time. Throws `forbidden` in a session of the console, which is checked only
 * when a request begins.
 */
export function refuseSession({ consoleSession }: CarillonRequest): void {
  if (consoleSession) throw new DomainError('forbidden', 'This route needs an API key or a recipient token.');
}
