import { expect, it } from 'vitest';
import { type Collecting, decideDigest, nextLocalTime } from './digest.js';

const collecting = (changes: Partial<Collecting> = {}): Collecting => ({
  policy: { window_seconds: 3_600, template_id: 'daily' },
  hasTemplate: true,
  isCollected: false,
  hasBegun: false,
  isOrdered: false,
  hasOwnAddress: false,
  timezone: 'Europe/Paris',
  ...changes,
});
const NOON = new Date('2026-03-10T12:00:00Z');

it('collects for a window, or until a local time', () => {
  expect(decideDigest(collecting(), NOON)).toMatchObject({
    reason: 'digest',
    due: { seconds: 3_600 },
    combined: false,
  });
  const policy = { at_local: '09:00', template_id: 'daily' };
  expect(decideDigest(collecting({ policy }), NOON)).toMatchObject({
    due: { at: new Date('2026-03-11T08:00:00Z') },
    rule: 'category.digest',
  });
});

it.each([
  [{ policy: null }],
  [{ hasTemplate: false }],
  [{ isCollected: true }],
  [{ hasBegun: true }],
  [{ isOrdered: true }],
  [{ hasOwnAddress: true }],
])('sends a delivery by itself with %j', (changes) => {
  expect(decideDigest(collecting(changes), NOON)).toBeNull();
});

it.each([
  // Later on the same day, and on the next one; the time itself is past.
  ['09:00', 'Europe/Paris', '2026-01-10T07:59:59Z', '2026-01-10T08:00:00Z'],
  ['09:00', 'Europe/Paris', '2026-01-10T08:00:00Z', '2026-01-11T08:00:00Z'],
  ['00:00', 'Asia/Kolkata', '2026-01-10T12:00:00Z', '2026-01-10T18:30:00Z'],
  ['09:00', 'Pacific/Kiritimati', '2026-01-10T12:00:00Z', '2026-01-10T19:00:00Z'],
  ['09:00', 'Pacific/Pago_Pago', '2026-01-10T12:00:00Z', '2026-01-10T20:00:00Z'],
  // Northern spring: 02:30 does not exist and becomes 03:30. Autumn: the first 02:30 counts.
  ['02:30', 'Europe/Paris', '2026-03-28T12:00:00Z', '2026-03-29T01:30:00Z'],
  ['02:30', 'Europe/Paris', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z'],
  // Between the two occurrences the next one is tomorrow's.
  ['02:30', 'Europe/Paris', '2026-10-25T00:45:00Z', '2026-10-26T01:30:00Z'],
  // Southern hemisphere.
  ['02:30', 'Australia/Sydney', '2026-10-03T12:00:00Z', '2026-10-03T16:30:00Z'],
  ['02:30', 'Australia/Sydney', '2026-04-04T12:00:00Z', '2026-04-04T15:30:00Z'],
])('the next %s in %s after %s is %s', (time, zone, at, next) => {
  expect(nextLocalTime(time, zone, new Date(at)).toISOString()).toBe(new Date(next).toISOString());
});
