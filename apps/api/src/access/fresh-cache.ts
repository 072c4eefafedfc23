import { LRUCache } from 'lru-cache';
import { atMost } from '#domain';
import type { RealtimeBus } from '#realtime';

/** A value that is older than this is read again before it is used. */
export const MAX_AGE_MS = 4_000;
/** How often the values in use are read again, so that requests do not wait for a read. */
export const REFRESH_MS = 2_000;
/** A value is in use for this long after its last use. */
const IN_USE_MS = 30_000;
/** Keys of one statement. */
const READ_AT_ONCE = 1_000;

interface FreshCacheOptions<Value> {
  /** Reads the values of many keys in one statement. Keys without a value are missing in the result. */
  read: (keys: string[]) => Promise<ReadonlyMap<string, Value>>;
  /** A `stale` hint of this tenant makes the value stale at once. */
  tenantOf: (value: Value) => string;
  max: number;
  bus: RealtimeBus;
  onFault: (error: Error) => void;
}

interface Entry<Value> {
  /** Null: the value is gone. Undefined: it has not been read yet. */
  value: Value | null | undefined;
  readAt: number;
  usedAt: number;
}

/**
 * Values that depend on the row of a tenant. They are at most 4 s old, also when the hint about a change is lost. One
 * statement every 2 s reads those in use again; without any there is none.
 */
export class FreshCache<Value> {
  private readonly entries: LRUCache<string, Entry<Value>>;
  private readonly reads = new Map<string, Promise<Value | null>>();
  /** Results of reads that began before this time are stale. */
  private invalidatedAt = Number.NEGATIVE_INFINITY;
  private isRefreshing = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: FreshCacheOptions<Value>) {
    const { max, bus } = options;
    this.entries = new LRUCache(atMost(max));
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'tenant') this.invalidateTenant(hint.tenantId);
    });
    bus.onGap(() => this.invalidate(() => true));
  }

  start(): void {
    this.timer = setInterval(() => void this.refresh(), REFRESH_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  has(key: string): boolean {
    return this.entries.has(key);
  }

  /** The value, null if there is none. Only a promise when the value has to be read. Throws the errors of the read. */
  get(key: string): Value | null | Promise<Value | null> {
    const now = performance.now();
    const entry = this.entries.get(key);
    if (entry) entry.usedAt = now;
    return entry?.value !== undefined && now - entry.readAt < MAX_AGE_MS ? entry.value : this.readOne(key);
  }

  /**
   * The last known value, null if it is gone, undefined if it is not known yet. It is at most 4 s old unless the
   * database is unavailable.
   */
  latest(key: string): Value | null | undefined {
    const now = performance.now();
    const entry = this.entries.get(key);
    if (entry) entry.usedAt = now;
    else this.entries.set(key, { value: undefined, readAt: Number.NEGATIVE_INFINITY, usedAt: now });
    return entry?.value;
  }

  private readOne(key: string): Promise<Value | null> {
    let reading = this.reads.get(key);
    if (!reading) {
      const forget = (): void => {
        if (this.reads.get(key) === reading) this.reads.delete(key);
      };
      reading = this.read([key])
        .then((found) => found.get(key) ?? null)
        .finally(forget);
      this.reads.set(key, reading);
    }
    return reading;
  }

  private async read(keys: string[]): Promise<ReadonlyMap<string, Value>> {
    const beganAt = performance.now();
    const found = await this.options.read(keys);
    const readAt = beganAt > this.invalidatedAt ? beganAt : Number.NEGATIVE_INFINITY;
    for (const key of keys) {
      const value = found.get(key) ?? null;
      const entry = this.entries.peek(key);
      if (entry && entry.readAt <= beganAt) Object.assign(entry, { value, readAt });
      // Unknown keys are not kept, so that a flood of them does not evict the known ones.
      else if (!entry && value !== null) this.entries.set(key, { value, readAt, usedAt: beganAt });
    }
    return found;
  }

  /** For a change of this process, which is in effect here before its hint is back. */
  invalidateTenant(tenantId: string): void {
    this.invalidate((value) => this.options.tenantOf(value) === tenantId);
  }

  private async refresh(): Promise<void> {
    if (this.isRefreshing) return;
    this.isRefreshing = true;
    await this.readInUse(() => true);
    this.isRefreshing = false;
  }

  private invalidate(isAffected: (value: Value) => boolean): void {
    this.invalidatedAt = performance.now();
    // A request after the hint must not get the result of a read before it.
    this.reads.clear();
    for (const entry of this.entries.values())
      if (entry.value && isAffected(entry.value)) entry.readAt = Number.NEGATIVE_INFINITY;
    void this.readInUse((value) => value !== null && value !== undefined && isAffected(value));
  }

  private async readInUse(isWanted: (value: Value | null | undefined) => boolean): Promise<void> {
    const since = performance.now() - IN_USE_MS;
    const keys: string[] = [];
    // The most recently used ones come first.
    for (const [key, { value, usedAt }] of this.entries.entries()) {
      if (usedAt < since) break;
      if (isWanted(value)) keys.push(key);
    }
    try {
      for (let at = 0; at < keys.length; at += READ_AT_ONCE) await this.read(keys.slice(at, at + READ_AT_ONCE));
    } catch (error) {
      // The next refresh repeats it; requests read what is too old.
      this.options.onFault(error as Error);
    }
  }
}
