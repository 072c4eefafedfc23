import { LRUCache } from 'lru-cache';
import { atMost } from '#domain';
import { type Scripts, TOKEN_BUCKET } from './scripts.js';

export interface Allowance {
  granted: boolean;
  limit: number;
  remaining: number;
  /** Until the next request is granted, or until the bucket is full. At least 1. */
  resetSeconds: number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Limits the requests of each key with a token bucket of one minute's requests, which fills evenly. */
export interface RequestAllowances {
  take(key: string, perMinute: number): Allowance | Promise<Allowance>;
}

/** The token buckets of this process. */
export class RequestLimit implements RequestAllowances {
  private readonly buckets = new LRUCache<string, Bucket>(atMost(100_000));

  take(key: string, perMinute: number): Allowance {
    const now = performance.now();
    const perMs = perMinute / 60_000;
    let bucket = this.buckets.get(key);
    if (!bucket) {
      bucket = { tokens: perMinute, filledAt: now };
      this.buckets.set(key, bucket);
    }
    bucket.tokens = Math.min(perMinute, bucket.tokens + (now - bucket.filledAt) * perMs);
    bucket.filledAt = now;
    const granted = bucket.tokens >= 1;
    if (granted) bucket.tokens -= 1;
    const waitMs = granted ? (perMinute - bucket.tokens) / perMs : (1 - bucket.tokens) / perMs;
    return allowance(granted, perMinute, Math.floor(bucket.tokens), waitMs);
  }

  /** Whether `take` would grant a request now. */
  allows(key: string, perMinute: number): boolean {
    const bucket = this.buckets.get(key);
    return !bucket || bucket.tokens + ((performance.now() - bucket.filledAt) * perMinute) / 60_000 >= 1;
  }
}

/** Token buckets shared by all processes through Redis. While Redis is unavailable, each process uses its own. */
export class SharedRequestLimit implements RequestAllowances {
  private readonly own = new RequestLimit();

  constructor(
    private readonly redis: Scripts,
    private readonly onFault: (error: Error) => void,
  ) {}

  async take(key: string, perMinute: number): Promise<Allowance> {
    if (!this.redis.connected) return this.own.take(key, perMinute);
    try {
      const [granted, remaining, waitMs] = (await this.redis.run(TOKEN_BUCKET, [`{${key}}:requests`], [perMinute])) as [
        number,
        number,
        number,
      ];
      return allowance(granted === 1, perMinute, remaining, waitMs);
    } catch (error) {
      this.onFault(error as Error);
      return this.own.take(key, perMinute);
    }
  }
}

function allowance(granted: boolean, limit: number, remaining: number, waitMs: number): Allowance {
  return { granted, limit, remaining, resetSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) };
}
