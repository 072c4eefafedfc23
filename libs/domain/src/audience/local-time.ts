// Converts local times such as "2026-12-24T09:00:00" to instants and back.

import { LRUCache } from 'lru-cache';
import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';

/** The first zone of the world to reach a local time. No zone is further ahead of UTC. */
export const FIRST_ZONE = '+14:00';

const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:[0-5]\d$/;

/** A local time without an offset, to the second. */
export const localTime = z
  .string()
  .refine((text) => isLocalTime(text), {
    error: 'must be a local time without an offset, like "2026-12-24T09:00:00"',
  })
  .meta({ id: 'LocalTime' });

function isLocalTime(text: string): boolean {
  if (!LOCAL_TIME.test(text)) return false;
  try {
    Temporal.PlainDateTime.from(text);
    return true;
  } catch {
    return false;
  }
}

/** Temporal takes 10 to 20 µs, and a worker asks for the same few times again and again. */
const KEPT = 2_000;
const instants = new LRUCache<string, number>({ max: KEPT });
const localTimes = new LRUCache<string, string>({ max: KEPT });

/**
 * The instant at which clocks in `zone` (an IANA name) show `local`. A time that clocks skip in spring is moved forward
 * by the length of the gap: 02:30 is 03:30. Of a time that clocks show twice in autumn, the first occurrence counts.
 * (RFC 5545, section 3.3.5, has the same rules.) Throws RangeError for a text that is not a local time, or an unknown
 * zone.
 */
export function atLocalTime(local: string, zone: string): Date {
  const key = `${local} ${zone}`;
  let at = instants.get(key);
  if (at === undefined) {
    at = Temporal.PlainDateTime.from(local).toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds;
    instants.set(key, at);
  }
  return new Date(at);
}

/** The local time in `zone` at an instant, to the second: "2026-12-24T09:00:00". */
export function localTimeAt(instant: Date, zone: string): string {
  const at = instant.getTime();
  const key = `${at} ${zone}`;
  const known = localTimes.get(key);
  if (known !== undefined) return known;
  const shown = Temporal.Instant.fromEpochMilliseconds(at)
    .toZonedDateTimeISO(zone)
    .toPlainDateTime()
    .round({ smallestUnit: 'second', roundingMode: 'floor' })
    .toString();
  localTimes.set(key, shown);
  return shown;
}
