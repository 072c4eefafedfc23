import { createHash, randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(16 * 256);
let used = pool.length;
let lastMs = 0;
let counter = 0;

/**
 * A new UUIDv7 in canonical text (RFC 9562, section 5.7), strictly increasing within this process: 48 bits of Unix
 * milliseconds, then a 12-bit counter that starts at random in its lower half each millisecond and, when it runs over,
 * borrows the next millisecond (method 1 and the overflow rule of section 6.2).
 *
 * Made by the application because servers before PostgreSQL 18 have no `uuidv7()`.
 */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, used + 16);
  used += 16;

  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    counter = ((random[6]! << 8) | random[7]!) & 0x7ff;
  } else if (++counter > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  const time = lastMs.toString(16).padStart(12, '0');
  const tail = random.toString('hex', 8);
  const variant = (8 | (random[8]! >> 6)).toString(16);
  const version = `7${counter.toString(16).padStart(3, '0')}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}${tail.slice(1, 4)}-${tail.slice(4)}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a text is a UUID of any version, in canonical form. */
export function isId(text: string): boolean {
  return UUID.test(text);
}

/** The nil UUID (RFC 9562, section 5.9): before every other id in their order. */
export const NIL_ID = '00000000-0000-0000-0000-000000000000';

/** The tenant id of the platform's own provider accounts: the nil UUID, which no tenant can have. */
export const PLATFORM_TENANT_ID = '00000000-0000-0000-0000-000000000000';

/**
 * A UUIDv7 that is always the same for the same arguments: the time `atMs` in milliseconds since 1970, and 74 bits of
 * the SHA-256 of `of` instead of random ones (RFC 9562, section 6.6 allows any source).
 */
export function derivedId(atMs: number, of: string): string {
  const time = atMs.toString(16).padStart(12, '0');
  const digest = createHash('sha256').update(of).digest('hex');
  const variant = (8 | (Number.parseInt(digest[3]!, 16) & 3)).toString(16);
  const random = `${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digest.slice(0, 3)}-${random}`;
}

/** The milliseconds since 1970 in a UUIDv7. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

const LATEST_MS = 2 ** 48 - 1;

/** The lowest UUIDv7 of a time in milliseconds since 1970: a bound for ids that were made before or after it. */
export function lowestId(atMs: number): string {
  const time = Math.min(Math.max(0, atMs), LATEST_MS).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}

/** The lowest UUIDv7 of the time `days` after that of another id. */
export function idDaysAfter(id: string, days: number): string {
  return lowestId(timeOfId(id) + days * 86_400_000);
}
