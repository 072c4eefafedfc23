interface Waiting<Item> {
  tenantId: string;
  item: Item;
}

/**
 * A bounded queue that is fair to tenants: each in turn gives one item, and tenants that were put back give theirs only
 * while no other tenant waits.
 */
export class FairQueue<Item> {
  private readonly limits: { total: number; perTenant: number };
  /** In the order of their turns: a tenant that has given an item goes to the end. */
  private readonly tenants = new Map<string, Item[]>();
  private waiting = 0;

  constructor(limits: { total: number; perTenant: number }) {
    this.limits = limits;
  }

  get size(): number {
    return this.waiting;
  }

  /** False when the queue or the tenant's part of it is full. */
  push(tenantId: string, item: Item): boolean {
    const items = this.tenants.get(tenantId) ?? [];
    if (this.waiting >= this.limits.total || items.length >= this.limits.perTenant) return false;
    items.push(item);
    this.tenants.set(tenantId, items);
    this.waiting += 1;
    return true;
  }

  shift(isPutBack: (tenantId: string) => boolean): Waiting<Item> | undefined {
    const tenantIds = [...this.tenants.keys()];
    const tenantId = tenantIds.find((id) => !isPutBack(id)) ?? tenantIds[0];
    if (tenantId === undefined) return undefined;
    const items = this.tenants.get(tenantId)!;
    const item = items.shift()!;
    this.tenants.delete(tenantId);
    if (items.length > 0) this.tenants.set(tenantId, items);
    this.waiting -= 1;
    return { tenantId, item };
  }

  remove(tenantId: string, item: Item): boolean {
    const items = this.tenants.get(tenantId);
    const at = items?.indexOf(item) ?? -1;
    if (!items || at === -1) return false;
    items.splice(at, 1);
    if (items.length === 0) this.tenants.delete(tenantId);
    this.waiting -= 1;
    return true;
  }
}
