import { LRUCache } from 'lru-cache';
import { Temporal } from 'temporal-polyfill';
import { z } from 'zod';

/** More than there are zones, although their names may be written in any case. */
const usable = new LRUCache<string, boolean>({ max: 1_000 });

/** A name of an IANA time zone that the runtime and Temporal support: Temporal refuses old names such as "PST". */
export const timezone = z
  .string()
  .max(64)
  .refine(isUsable, { error: 'must be an IANA time zone like "Europe/Paris"' })
  .meta({ id: 'Timezone' });

/**
 * The first usable time zone, in order of precedence: usually the recipient's, then the tenant's. Else UTC. Profiles
 * that an earlier release has stored may have a zone that Temporal refuses.
 */
export function firstTimezone(...candidates: (string | null | undefined)[]): string {
  return candidates.find((candidate) => candidate != null && isUsable(candidate)) ?? 'UTC';
}

function isUsable(name: string): boolean {
  let known = usable.get(name);
  if (known === undefined) {
    known = isTimezone(name);
    usable.set(name, known);
  }
  return known;
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}
