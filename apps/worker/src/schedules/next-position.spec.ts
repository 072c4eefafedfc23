import { describe, expect, it } from 'vitest';
import type { DueSchedule } from '#database';
import { decideSchedule } from './next-position.js';

const due = (more: Partial<DueSchedule>): DueSchedule => ({
  tenantId: 'tenant',
  id: 'schedule',
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
const at = (local: string): object => ({ state: 'active', nextLocal: local, nextAt: new Date(`${local}Z`) });
const FINISHED = { state: 'finished', nextLocal: null, nextAt: null };

describe('an occurrence in time', () => {
  it('is fired, and the next one follows', () => {
    expect(decideSchedule(due({}))).toEqual({ fires: true, missed: false, position: at('2026-12-01T10:00:00') });
  });

  it('is fired up to a minute late, and so is the next one', () => {
    const late = due({ rrule: 'FREQ=MINUTELY', now: new Date('2026-12-01T09:01:00Z') });
    expect(decideSchedule(late)).toEqual({ fires: true, missed: false, position: at('2026-12-01T09:01:00') });
  });

  it('ends a schedule without another one', () => {
    expect(decideSchedule(due({ rrule: 'FREQ=HOURLY;UNTIL=20261201T090000' }))).toMatchObject({
      fires: true,
      position: FINISHED,
    });
  });
});

it('a rule that an earlier release has stored and that is refused now does not fire', () => {
  const refused = due({ rrule: 'FREQ=DAILY;BYHOUR=1;BYSETPOS=1' });
  expect(decideSchedule(refused)).toEqual({ fires: false, missed: false, position: 'invalid_rule' });
});

describe('schedules of one rule', () => {
  it('have their own occurrence for each start, zone, exception and time', () => {
    const schedules = [
      due({}),
      due({ rrule: 'FREQ=DAILY' }),
      due({ rrule: 'FREQ=DAILY', startsAtLocal: '2026-01-01T17:00:00' }),
      due({ timezone: 'recipient', recipientTimezone: 'Asia/Tokyo' }),
      due({ exdates: ['2026-12-01'] }),
      due({ rrule: 'FREQ=HOURLY;COUNT=3', lastLocal: '2026-01-01T03:00:00' }),
      due({ nextLocal: '2026-12-01T08:00:00', nextAt: new Date('2026-12-01T08:59:30Z') }),
    ];
    const positions = [
      at('2026-12-01T10:00:00'),
      at('2026-12-02T00:00:00'),
      at('2026-12-01T17:00:00'),
      { ...at('2026-12-01T19:00:00'), nextAt: new Date('2026-12-01T10:00:00Z') },
      at('2026-12-02T00:00:00'),
      FINISHED,
      at('2026-12-01T09:00:00'),
    ];
    for (let turn = 0; turn < 2; turn += 1)
      expect(schedules.map((schedule) => decideSchedule(schedule).position)).toEqual(positions);
  });
});

describe('missed occurrences', () => {
  const missed = { now: new Date('2026-12-01T13:30:00Z') };

  it('are fired once for all of them', () => {
    expect(decideSchedule(due(missed))).toEqual({ fires: true, missed: true, position: at('2026-12-01T14:00:00') });
  });

  it('are skipped', () => {
    const decision = decideSchedule(due({ ...missed, misfire: 'skip' }));
    expect(decision).toEqual({ fires: false, missed: true, position: at('2026-12-01T14:00:00') });
  });

  it('are skipped up to one that is less than a minute late, which is fired next', () => {
    const decision = decideSchedule(due({ misfire: 'skip', now: new Date('2026-12-01T13:00:30Z') }));
    expect(decision).toEqual({ fires: false, missed: true, position: at('2026-12-01T13:00:00') });
  });
});

describe("the recipient's zone", () => {
  const inZone = { timezone: 'recipient', rrule: 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0' };

  it('is that of the profile in the schedule, of the stored profile, of the tenant, UTC', () => {
    const positionIn = (more: Partial<DueSchedule>): unknown => decideSchedule(due({ ...inZone, ...more })).position;
    const tomorrow = (instant: string): object => ({
      state: 'active',
      nextLocal: '2026-12-02T09:00:00',
      nextAt: new Date(instant),
    });
    expect(positionIn({})).toEqual(tomorrow('2026-12-02T09:00:00Z'));
    expect(positionIn({ tenantTimezone: 'Asia/Tokyo' })).toEqual(tomorrow('2026-12-02T00:00:00Z'));
    const profile = { tenantTimezone: 'Asia/Tokyo', recipientTimezone: 'Europe/Paris' };
    expect(positionIn(profile)).toEqual(tomorrow('2026-12-02T08:00:00Z'));
    const { notification } = due({});
    expect(
      positionIn({ ...profile, notification: { ...notification, recipient: { id: 'ann', timezone: 'Asia/Kolkata' } } }),
    ).toEqual(tomorrow('2026-12-02T03:30:00Z'));
  });

  it('has moved west: waits for the local time there', () => {
    const decision = decideSchedule(due({ ...inZone, recipientTimezone: 'America/New_York' }));
    expect(decision).toEqual({
      fires: false,
      missed: false,
      position: { state: 'active', nextLocal: '2026-12-01T09:00:00', nextAt: new Date('2026-12-01T14:00:00Z') },
    });
  });

  it('has moved east: fires late, and never the same local time twice', () => {
    const decision = decideSchedule(due({ ...inZone, recipientTimezone: 'Asia/Tokyo' }));
    expect(decision).toMatchObject({ fires: true, position: { nextLocal: '2026-12-02T09:00:00' } });
  });
});
