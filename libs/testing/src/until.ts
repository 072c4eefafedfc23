import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;

/**
 * Waits until `look` returns something other than undefined, null or false, and returns it. After the limit it throws
 * an error with the last value. Tests use it instead of sleeping.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  limitMs = 10_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (let last: unknown; ; ) {
    const seen = await look();
    if (seen !== undefined && seen !== null && seen !== false) return seen;
    last = seen;
    if (performance.now() > end)
      throw new Error(`waited ${limitMs} ms in vain until ${what}; last seen: ${JSON.stringify(last)}`);
    await delay(POLL_MS);
  }
}
