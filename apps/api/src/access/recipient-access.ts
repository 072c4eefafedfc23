import { Inject, Injectable } from '@nestjs/common';
import type { KnownTenant } from '#database';
import { DEFAULT_RECIPIENT_REQUESTS_PER_MINUTE, DomainError } from '#domain';
import type { Allowance, RequestAllowances } from '#rate-limit';
import { REQUEST_ALLOWANCES } from '../tokens.js';
import { Authenticator } from './authenticator.js';
import { type InboxIdentity, InboxTokens, type NewInboxToken, tokenRefused } from './inbox-tokens.js';
import { KnownTenants } from './known-tenants.js';
import { TokenRevocations } from './token-revocations.js';

/** The rules for requests with a recipient token, the same for REST, server-sent events and WebSockets. */
@Injectable()
export class RecipientAccess {
  constructor(
    private readonly tokens: InboxTokens,
    private readonly tenants: KnownTenants,
    private readonly authenticator: Authenticator,
    private readonly revocations: TokenRevocations,
    @Inject(REQUEST_ALLOWANCES) private readonly requests: RequestAllowances,
  ) {}

  /** Mints a token that no revocation until now refuses. */
  async mint(token: Omit<NewInboxToken, 'revocation'>): Promise<string> {
    const revocation = await this.revocations.read(token.tenantId, token.recipientId);
    return await this.tokens.mint({ ...token, revocation });
  }

  /** The first step: checks the signature and the expiry. Throws `unauthenticated`. */
  async identify(token: string): Promise<InboxIdentity> {
    return await this.tokens.verify(token);
  }

  /**
   * The second step. Throws `unauthenticated` for a token that was revoked, also by the revocation of the API key that
   * minted it, and `forbidden` for a missing scope, a suspended tenant, or an origin that the tenant does not allow.
   * Only browsers send an origin.
   */
  async permit(identity: InboxIdentity, scope: string, origin: string | undefined): Promise<void> {
    if (!identity.scopes.has(scope))
      throw new DomainError('forbidden', `This recipient token lacks the scope ${scope}.`);
    const tenant = await this.tenantOf(identity.tenantId);
    if (tenant.status === 'suspended') throw new DomainError('forbidden', 'This tenant is suspended.');
    const { keyId } = identity;
    if (keyId !== null && !(await this.authenticator.current(keyId))) throw tokenRefused();
    if (await this.revocations.isRevoked(identity)) throw tokenRefused();
    if (tenant.settings.allowed_origins && origin !== undefined && !lists(tenant, origin))
      throw new DomainError('forbidden', `The origin ${JSON.stringify(origin)} is not allowed by this tenant.`);
  }

  /**
   * The third step: takes one request from the allowance of the recipient. Requests with refused tokens take none, or a
   * revoked token could lock out its recipient. Throws `unauthenticated`.
   */
  async allowance({ tenantId, recipientKey }: InboxIdentity): Promise<Allowance> {
    const { settings } = await this.tenantOf(tenantId);
    const limit = settings.recipient_requests_per_minute ?? DEFAULT_RECIPIENT_REQUESTS_PER_MINUTE;
    return await this.requests.take(recipientKey, limit);
  }

  /** Whether a token that was accepted before has lost its access, other than by its expiry. Reads cached data only. */
  hasLostAccess(identity: InboxIdentity): boolean {
    const tenant = this.tenants.latest(identity.tenantId);
    if (tenant === null || tenant?.status === 'suspended') return true;
    if (identity.keyId !== null && this.authenticator.latest(identity.keyId) === null) return true;
    return this.revocations.isKnownAsRevoked(identity);
  }

  /** Whether `allowed_origins` of the tenant contains the origin. A tenant without this setting lists none. */
  async listsOrigin(tenantId: string, origin: string): Promise<boolean> {
    const tenant = await this.tenants.get(tenantId);
    return tenant !== null && lists(tenant, origin);
  }

  private async tenantOf(tenantId: string): Promise<KnownTenant> {
    const tenant = await this.tenants.get(tenantId);
    if (!tenant) throw tokenRefused();
    return tenant;
  }
}

function lists(tenant: KnownTenant, origin: string): boolean {
  return tenant.settings.allowed_origins?.some((url) => originOf(url) === origin) ?? false;
}

/** As browsers send it. WHATWG URL gives "null" for other schemes, which is also the origin of a sandboxed frame. */
function originOf(text: string): string {
  const { origin, protocol, host } = new URL(text);
  return origin === 'null' ? `${protocol}//${host}` : origin;
}
