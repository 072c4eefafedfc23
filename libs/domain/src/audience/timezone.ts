import { z } from 'zod';

/** A name of an IANA time zone that the runtime supports. */
export const timezone = z
  .string()
  .max(64)
  .refine((name) => isTimezone(name), { error: 'must be an IANA time zone like "Europe/Paris"' })
  .meta({ id: 'Timezone' });

/** The first time zone that is set, in order of precedence: usually the recipient's, then the tenant's. Else UTC. */
export function firstTimezone(...candidates: (string | null | undefined)[]): string {
  return candidates.find((candidate) => candidate != null) ?? 'UTC';
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
