import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type Tenant, TenantsStore } from '#database';
import { DomainError } from '#domain';
import type { RealtimeBus } from '#realtime';
import { BUS } from '../tokens.js';
import { type InboxIdentity, InboxTokens } from './inbox-tokens.js';

/** How long a suspension or a change of the allowed origins may be missed when its hint is lost. */
const TENANT_TTL_MS = 30_000;

/** The rules for requests with a recipient token, the same for REST, server-sent events and WebSockets. */
@Injectable()
export class RecipientAccess {
  private readonly tenants = new LRUCache<string, Promise<Tenant | null>>({ max: 10_000, ttl: TENANT_TTL_MS });

  constructor(
    private readonly tokens: InboxTokens,
    private readonly store: TenantsStore,
    @Inject(BUS) bus: RealtimeBus,
  ) {
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'tenant') this.tenants.delete(hint.tenantId);
    });
    bus.onGap(() => this.tenants.clear());
  }

  /**
   * Returns the recipient of the token. Throws `unauthenticated` for a token that is not valid or has expired,
   * `forbidden` for a missing scope, a suspended tenant, or an origin that the tenant does not allow. Only browsers
   * send an origin.
   */
  async verify(token: string, scope: string, origin: string | undefined): Promise<InboxIdentity> {
    const identity = await this.tokens.verify(token);
    if (!identity.scopes.has(scope))
      throw new DomainError('forbidden', `This recipient token lacks the scope ${scope}.`);
    const tenant = await this.tenant(identity.tenantId);
    if (!tenant) throw new DomainError('unauthenticated', 'The recipient token is not valid or has expired.');
    if (tenant.status === 'suspended') throw new DomainError('forbidden', 'This tenant is suspended.');
    if (tenant.settings.allowed_origins && origin !== undefined && !lists(tenant, origin))
      throw new DomainError('forbidden', `The origin ${JSON.stringify(origin)} is not allowed by this tenant.`);
    return identity;
  }

  /** Whether `allowed_origins` of the tenant contains the origin. A tenant without this setting lists none. */
  async listsOrigin(tenantId: string, origin: string): Promise<boolean> {
    const tenant = await this.tenant(tenantId);
    return tenant !== null && lists(tenant, origin);
  }

  private tenant(tenantId: string): Promise<Tenant | null> {
    let found = this.tenants.get(tenantId);
    if (!found) {
      found = this.store.get(tenantId);
      this.tenants.set(tenantId, found);
      found.catch(() => this.tenants.delete(tenantId));
    }
    return found;
  }
}

function lists(tenant: Tenant, origin: string): boolean {
  return tenant.settings.allowed_origins?.some((url) => originOf(url) === origin) ?? false;
}

/** As browsers send it. WHATWG URL gives "null" for other schemes, which is also the origin of a sandboxed frame. */
function originOf(text: string): string {
  const { origin, protocol, host } = new URL(text);
  return origin === 'null' ? `${protocol}//${host}` : origin;
}
