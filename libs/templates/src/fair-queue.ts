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

  /**
   * Returns the item that finds no place, if any: this one when the tenant's part is full. When the whole queue is full, it is the
   * newest of the tenant that has most, unless this tenant would then have as many.
   */
  push(tenantId: string, item: Item): Item | undefined {
    const items = this.tenants.get(tenantId) ?? [];
    if (items.length >= this.limits.perTenant) return item;
    const refused = this.waiting >= this.limits.total ? this.makeRoom(items.length) : undefined;
    if (this.waiting >= this.limits.total) return item;
    items.push(item);
    this.tenants.set(tenantId, items);
    this.waiting += 1;
    return refused;
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

  /** Takes the newest item of the tenant that has most, where that is at least two more than `waiting`. */
  private makeRoom(waiting: number): Item | undefined {
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
