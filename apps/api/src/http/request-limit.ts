import { LRUCache } from 'lru-cache';

export interface Allowance {
  granted: boolean;
  limit: number;
  remaining: number;
  /** Until a request is granted again, or until the bucket is full. At least 1. */
  resetSeconds: number;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** A token bucket per key, in this process: it holds a minute's worth and fills evenly. */
export class RequestLimit {
  private readonly buckets = new LRUCache<string, Bucket>({ max: 100_000 });

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
    return {
      granted,
      limit: perMinute,
      remaining: Math.floor(bucket.tokens),
      resetSeconds: Math.max(1, Math.ceil(waitMs / 1_000)),
    };
  }
}
