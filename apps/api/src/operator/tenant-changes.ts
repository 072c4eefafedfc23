import type { Tenant } from '#database';
import { DomainError, notFound } from '#domain';
import type { RealtimeBus } from '#realtime';

/** Returns the tenant. Throws `not_found` for null, and `conflict` for a test tenant, which has no keys of its own. */
export function changeable(id: string, tenant: Tenant | null): Tenant {
  if (!tenant) throw notFound('tenant', id);
  if (tenant.testOf === null) return tenant;
  throw new DomainError('conflict', `${id} is the test tenant of ${tenant.testOf}. Use the id of that tenant.`);
}

/** Tells all processes to read a tenant, its test tenant and their keys again. */
export function announceTenant(bus: RealtimeBus, { id, testTenantId }: Tenant): void {
  const ids = testTenantId === null ? [id] : [id, testTenantId];
  bus.publish(ids.map((tenantId) => ({ kind: 'stale', tenantId, what: 'tenant' })));
}
