import { expect, it } from 'vitest';
import type { DueSchedule } from '#database';
import { decideSchedules } from './decide-schedules.js';

const due = (id: string, more: Partial<DueSchedule> = {}): DueSchedule => ({
  tenantId: 'tenant',
  id,
  rrule: 'FREQ=HOURLY',
  exdates: [],
  timezone: 'UTC',
  startsAtLocal: '2026-01-01T00:00:00',
  lastLocal: null,
  notification: { recipient_id: 'ann', channel: 'in_app', category: 'default', priority: 5 },
  recipientId: 'ann',
  misfire: 'fire_once',
  failures: 0,
  traceparent: null,
  nextLocal: '2026-12-01T09:00:00',
  nextAt: new Date('2026-12-01T09:00:00Z'),
  recipientTimezone: null,
  tenantTimezone: null,
  now: new Date('2026-12-01T09:00:01Z'),
  ...more,
});

const inSeconds = (seconds: number): number => performance.now() + seconds * 1_000;

it('an error concerns one schedule', async () => {
  const { occurrences, failed } = await decideSchedules(
    [due('a'), due('broken', { startsAtLocal: '2025-13-01T00:00:00' }), due('c')],
    inSeconds(60),
  );
  expect(occurrences.map(({ schedule }) => schedule.id)).toEqual(['a', 'c']);
  expect(failed).toEqual([{ schedule: expect.objectContaining({ id: 'broken' }), error: expect.any(Error) }]);
});

it('the rest is left when the time is used up, but one is decided in any case', async () => {
  const many = Array.from({ length: 1_000 }, (_, minute) =>
    due(String(minute), { startsAtLocal: new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString().slice(0, 19) }),
  );
  const { occurrences } = await decideSchedules(many, inSeconds(0));
  expect(occurrences.map(({ schedule }) => schedule.id)).toEqual(['0']);
  expect((await decideSchedules(many, inSeconds(60))).occurrences).toHaveLength(1_000);
});

it('the profile, the schedule or the tenant may have a zone that is not usable', async () => {
  const zones = [
    due('fixed', { timezone: 'PST' }),
    due('stored', { timezone: 'recipient', recipientTimezone: 'PST', tenantTimezone: 'Asia/Tokyo' }),
    due('tenant', { timezone: 'recipient', recipientTimezone: 'IST', tenantTimezone: 'JST' }),
  ];
  const { occurrences, failed } = await decideSchedules(zones, inSeconds(60));
  expect(failed).toEqual([]);
  expect(occurrences.map(({ decision }) => decision.position)).toEqual([
    { state: 'active', nextLocal: '2026-12-01T10:00:00', nextAt: new Date('2026-12-01T10:00:00Z') },
    { state: 'active', nextLocal: '2026-12-01T19:00:00', nextAt: new Date('2026-12-01T10:00:00Z') },
    { state: 'active', nextLocal: '2026-12-01T10:00:00', nextAt: new Date('2026-12-01T10:00:00Z') },
  ]);
});
