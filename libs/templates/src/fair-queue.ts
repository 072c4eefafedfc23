interface Waiting<Item> {
  tenantId: string;
  item: Item;
}

/**
 * A bounded queue that serves tenants in turn. Items of deprioritized tenants are served only while no other tenant
 * waits.
 */
export class FairQueue<Item> {
  private readonly limits: { total: number; perTenant: number };
  /** In the order of their turns: a tenant moves to the end when one of its items is served. */
  private readonly tenants = new Map<string, Item[]>();
  private waiting = 0;

  constructor(limits: { total: number; perTenant: number }) {
    this.limits = limits;
  }

  get size(): number {
    return this.waiting;
  }

  /**
   * Returns the rejected item, if any: this one when the tenant has reached its limit. When the whole queue is full, it
   * is the newest item of the tenant with most items, unless this tenant would then have as many.
   */
  push(tenantId: string, item: Item): Item | undefined {
    const items = this.tenants.get(tenantId) ?? [];
    if (items.length >= this.limits.perTenant) return item;
    const refused = this.waiting >= this.limits.total ? this.evict(items.length) : undefined;
    if (this.waiting >= this.limits.total) return item;
    items.push(item);
    this.tenants.set(tenantId, items);
    this.waiting += 1;
    return refused;
  }

  shift(isDeprioritized: (tenantId: string) => boolean): Waiting<Item> | undefined {
    const tenantIds = [...this.tenants.keys()];
    const tenantId = tenantIds.find((id) => !isDeprioritized(id)) ?? tenantIds[0];
    if (tenantId === undefined) return undefined;
    const items = this.tenants.get(tenantId)!;
    const item = items.shift()!;
    this.tenants.delete(tenantId);
    if (items.length > 0) this.tenants.set(tenantId, items);
    this.waiting -= 1;
    return { tenantId, item };
  }

  /** Removes the newest item of the tenant with most items, if it has at least two more than `waiting`. */
  private evict(waiting: number): Item | undefined {
    let most: Item[] = [];
    for (const items of this.tenants.values()) if (items.length > most.length) most = items;
    if (most.length < waiting + 2) return undefined;
    this.waiting -= 1;
    return most.pop();
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
