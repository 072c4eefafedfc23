import { Injectable } from '@nestjs/common';
import { AuditStore } from '#database';
import {
  DomainError,
  hasRole,
  isId,
  notFound,
  PLATFORM_TENANT_ID,
  type Role,
  roleFor,
  scopesOf,
  validationFailed,
} from '#domain';
import { isOnOperatorListener } from '../http/http-listeners.js';
import { routeConfigOf } from '../http/route-config.js';
import type { Caller, CarillonRequest } from './access.js';
import type { ConsoleSession } from './console-session.js';
import { actorOf, ConsoleSessions } from './console-sessions.js';
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
    private readonly audit: AuditStore,
  ) {}

  /** Whether the session decides, and not an API key. The operator's listener takes no API keys. */
  decides(request: CarillonRequest): boolean {
    if (!isFromConsole(request)) return false;
    const { headers } = request;
    const hasKey = headers['x-api-key'] !== undefined || headers.authorization !== undefined;
    return !hasKey || isOnOperatorListener(request);
  }

  /** Throws `unauthenticated` without a session. */
  async requireSession(request: CarillonRequest): Promise<ConsoleSession> {
    const session = await this.sessions.of(request);
    if (!session)
      throw new DomainError('unauthenticated', 'Sign in to the console: there is no session, or it has ended.');
    request.consoleSession = session;
    return session;
  }

  /** For a route of the operator. Throws `unauthenticated`, `rate_limited`, or `forbidden` with the needed role. */
  async requireRole(request: CarillonRequest, needed: Role): Promise<void> {
    const session = await this.requireSession(request);
    const role = this.takeRequest(session);
    if (!hasRole(role, needed))
      throw new DomainError('forbidden', `This needs the role ${needed}, and this session has the role ${role}.`);
  }

  /** The caller of a tenant's route in a session of an operator. X-Carillon-Tenant names the tenant. */
  async callerOf(
    request: CarillonRequest,
    session: ConsoleSession,
    scope: string | null,
  ): Promise<Pick<Caller, 'tenantId' | 'settings' | 'scopes'>> {
    const role = this.takeRequest(session);
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
    if (request.method !== 'GET' && !scope.endsWith(':read')) await this.record(request, session, tenant.id);
    return { tenantId: tenant.id, settings: tenant.settings, scopes };
  }

  /**
   * Writes the entry of a change that has no action of its own, before the change. Paths and bodies have personal data,
   * so the entry has the route and the id only, and a recipient as a hash.
   */
  private async record(request: CarillonRequest, { known }: ConsoleSession, tenantId: string): Promise<void> {
    const { audited, access } = routeConfigOf(request);
    if (audited) return;
    const { method, ip, routeOptions, params, headers } = request;
    const action = 'tenant_data.changed';
    const note = { action, actor: actorOf(known), sourceAddress: ip, requestId: String(request.id) } as const;
    const route = routeOptions.url ?? '';
    const { id, key, recipient_id: subscriberId } = params as Record<string, string | undefined>;
    const namedId = access?.kind === 'recipient' ? String(headers['x-recipient-id'] ?? '') : subscriberId;
    const recipientId = route.startsWith('/api/v1/recipients/') ? id : namedId;
    // The path has not been checked yet.
    const subject = [id, key].find((text) => text !== undefined && /^[\w.:-]{1,255}$/.test(text));
    const change = { tenantId, subject: subject ?? tenantId, after: { method, route } };
    await this.audit.write(note, change, recipientId);
  }

  /** Takes one request from the allowance of an operator's session. Returns the role. Throws `rate_limited`. */
  private takeRequest({ known }: ConsoleSession): Role {
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
