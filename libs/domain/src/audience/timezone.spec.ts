import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { firstTimezone, timezone } from './timezone.js';

/** Old names that Intl accepts and Temporal refuses. */
const REFUSED = ['PST', 'CST', 'IST', 'JST', 'AST', 'BST', 'CAT', 'EAT', 'ECT', 'SST', 'ACT', 'AET', 'ART'];

describe('a time zone', () => {
  it.each(REFUSED)('%s is refused, and the next one of a stored profile counts', (name) => {
    expect(timezone.safeParse(name).success).toBe(false);
    expect(firstTimezone(name, null, 'Europe/Paris')).toBe('Europe/Paris');
    expect(firstTimezone(name)).toBe('UTC');
  });

  it('that is accepted is one that Temporal knows, for all names of the runtime', () => {
    for (const name of [...Intl.supportedValuesOf('timeZone'), 'UTC', 'Etc/GMT+12', 'europe/paris']) {
      expect(timezone.safeParse(name).success, name).toBe(true);
      expect(() => Temporal.Now.zonedDateTimeISO(name), name).not.toThrow();
    }
  });

  it('of an unknown name is refused', () => {
    expect(timezone.safeParse('Mars/Olympus').error?.issues[0]?.message).toMatch(/IANA time zone/);
  });
});
