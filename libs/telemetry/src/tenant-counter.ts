/** The label of all tenants without series of their own. */
export const OTHER_TENANTS = 'other';

/** Tenants are ranked at the first scrape after this time. */
const RANK_EVERY_MS = 60_000;
/** Tenants that are ranked, at most: the activity of further ones is not noted until the next ranking. */
const MAX_RANKED = 10_000;

interface Count {
  value: number;
  labels: Record<string, string>;
}

/**
 * Counts by tenant with a bounded number of series: the busiest `limit` tenants have their own, and the rest counts as
 * `other`. A tenant that becomes one of the busiest starts at 0, and one that no longer is loses its series, so no
 * series ever decreases except by a restart at 0, which Prometheus understands.
 */
export class TenantCounter {
  private readonly own = new Map<string, Map<string, Count>>();
  private readonly other = new Map<string, Count>();
  /** Activity by tenant: half of it remains at each ranking. */
  private readonly activity = new Map<string, number>();
  private rankedAt: number;

  constructor(
    private readonly limit: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.rankedAt = now();
  }

  /** `labels`: in addition to the tenant. */
  add(value: number, tenantId: string, labels: Readonly<Record<string, string>> = {}): void {
    if (this.limit > 0) this.note(tenantId, value);
    const counts = this.own.get(tenantId);
    addTo(counts ?? this.other, value, { tenant: counts ? tenantId : OTHER_TENANTS, ...labels });
  }

  /** For each scrape. */
  read(): Count[] {
    if (this.now() - this.rankedAt >= RANK_EVERY_MS) this.rank();
    return [...this.own.values(), this.other].flatMap((counts) => [...counts.values()]);
  }

  private note(tenantId: string, value: number): void {
    const activity = this.activity.get(tenantId);
    if (activity === undefined && this.activity.size >= MAX_RANKED) return;
    this.activity.set(tenantId, (activity ?? 0) + value);
    // Until there are more tenants than series, each has its own at once.
    if (activity === undefined && this.own.size < this.limit) this.own.set(tenantId, new Map());
  }

  private rank(): void {
    this.rankedAt = this.now();
    const busiest = [...this.activity].sort(([, left], [, right]) => right - left).slice(0, this.limit);
    const ids = new Set(busiest.map(([tenantId]) => tenantId));
    for (const tenantId of this.own.keys()) if (!ids.has(tenantId)) this.own.delete(tenantId);
    for (const tenantId of ids) if (!this.own.has(tenantId)) this.own.set(tenantId, new Map());
    for (const [tenantId, activity] of this.activity) {
      if (activity < 1 && !ids.has(tenantId)) this.activity.delete(tenantId);
      else this.activity.set(tenantId, activity / 2);
    }
  }
}

function addTo(counts: Map<string, Count>, value: number, labels: Record<string, string>): void {
  const key = Object.values(labels).join(' ');
  const count = counts.get(key);
  if (count) count.value += value;
  else counts.set(key, { value, labels });
}
