import { describe, expect, it } from 'vitest';
import {
  type CategoryPolicy,
  type HoldPolicy,
  holdPolicies,
  type QuietHours,
  quietHours,
  weekdays,
} from './policies.js';
import { decideQuietHours, type QuietFacts, quietUntil, releaseTime } from './quiet-hours.js';

const daily = (times: string, timezone?: string): QuietHours => {
  const [from, to] = times.split('-') as [string, string];
  return { windows: [{ days: [...weekdays], from, to }], ...(timezone && { timezone }) };
};
const on = (days: QuietHours['windows'][number]['days'], times: string): QuietHours => ({
  windows: daily(times).windows.map((window) => ({ ...window, days })),
});
interface Given {
  quietHours?: QuietHours | null;
  timezone?: string | null;
  category?: Partial<CategoryPolicy>;
  settings?: QuietFacts['tenant']['settings'];
}
const factsOf = ({ quietHours = null, timezone = null, category, settings = {} }: Given): QuietFacts => ({
  quietHours,
  recipient: { timezone },
  category: category ? { onHold: 'hold', bypassQuietHours: false, ...category } : null,
  tenant: { settings },
});
const own = (quietHours: QuietHours, timezone: string): QuietFacts => factsOf({ quietHours, timezone });
const untilOf = (found: { until: Date } | null): string | null => found?.until.toISOString().slice(0, 19) ?? null;

type Row = [zone: string, times: string, at: string, until: string | null];
/** Times without a zone are UTC. */
const table = (title: string, rows: Row[]): void => {
  it.each(rows)(`${title}: %s, %s, at %s until %s`, (zone, times, at, until) => {
    expect(untilOf(quietUntil(own(daily(times), zone), 'sms', new Date(`${at}Z`)))).toBe(until);
  });
};

describe('one window', () => {
  table('the start is quiet, the end is not', [
    ['Europe/Paris', '22:00-08:00', '2026-01-15T20:59:59.999', null],
    ['Europe/Paris', '22:00-08:00', '2026-01-15T21:00:00', '2026-01-16T07:00:00'],
    ['Europe/Paris', '22:00-08:00', '2026-01-16T06:59:59.999', '2026-01-16T07:00:00'],
    ['Europe/Paris', '22:00-08:00', '2026-01-16T07:00:00', null],
  ]);

  table('zones without a change of the clock', [
    ['UTC', '22:00-06:00', '2026-12-31T23:30:00', '2027-01-01T06:00:00'],
    ['Asia/Kolkata', '21:00-09:00', '2026-06-01T16:00:00', '2026-06-02T03:30:00'],
    ['Asia/Kathmandu', '21:00-09:00', '2026-06-01T16:00:00', '2026-06-02T03:15:00'],
    ['America/Sao_Paulo', '23:00-06:00', '2026-11-15T03:00:00', '2026-11-15T09:00:00'],
    ['Asia/Tokyo', '12:00-13:00', '2026-05-05T03:59:00', '2026-05-05T04:00:00'],
    ['Pacific/Kiritimati', '00:00-06:00', '2026-05-05T10:00:00', '2026-05-05T16:00:00'],
    ['Africa/Lagos', '20:00-00:00', '2026-05-05T22:59:00', '2026-05-05T23:00:00'],
  ]);

  table('the clock is put forward', [
    ['Europe/Paris', '22:00-08:00', '2026-03-28T22:00:00', '2026-03-29T06:00:00'],
    ['America/New_York', '22:00-07:00', '2026-03-08T04:00:00', '2026-03-08T11:00:00'],
    ['Australia/Sydney', '22:00-07:00', '2026-10-03T13:00:00', '2026-10-03T20:00:00'],
    ['Pacific/Auckland', '22:00-06:00', '2026-09-26T11:00:00', '2026-09-26T17:00:00'],
  ]);

  table('the clock is put forward over the end, which moves forward', [
    ['Europe/Paris', '22:00-02:30', '2026-03-28T23:00:00', '2026-03-29T01:30:00'],
    ['Australia/Sydney', '22:00-02:30', '2026-10-03T13:00:00', '2026-10-03T16:30:00'],
    ['America/St_Johns', '22:00-02:30', '2026-03-08T03:00:00', '2026-03-08T06:00:00'],
    ['Australia/Lord_Howe', '22:00-02:15', '2026-10-03T13:00:00', '2026-10-03T15:45:00'],
    ['Pacific/Chatham', '22:00-03:00', '2026-09-26T12:00:00', '2026-09-26T14:15:00'],
    ['Africa/Cairo', '20:00-00:00', '2026-04-23T19:00:00', '2026-04-23T22:00:00'],
    ['Africa/Cairo', '20:00-00:30', '2026-04-23T19:00:00', '2026-04-23T22:30:00'],
  ]);

  table('the clock is put forward over the start', [
    ['Europe/Paris', '02:30-06:00', '2026-03-29T00:59:59', null],
    ['Europe/Paris', '02:30-06:00', '2026-03-29T01:00:00', '2026-03-29T04:00:00'],
    ['Europe/Paris', '02:00-06:00', '2026-03-29T00:59:59', null],
    ['Europe/Paris', '02:00-06:00', '2026-03-29T01:00:00', '2026-03-29T04:00:00'],
    ['Europe/Paris', '02:30-03:10', '2026-03-29T01:05:00', '2026-03-29T01:10:00'],
    // Over the whole window, which moves forward.
    ['Europe/Paris', '02:15-02:45', '2026-03-29T01:00:00', null],
    ['Europe/Paris', '02:15-02:45', '2026-03-29T01:15:00', '2026-03-29T01:45:00'],
  ]);

  table('the clock is put back', [
    ['Europe/Paris', '22:00-08:00', '2026-10-24T21:00:00', '2026-10-25T07:00:00'],
    ['America/New_York', '22:00-07:00', '2026-11-01T03:00:00', '2026-11-01T12:00:00'],
    ['Australia/Sydney', '22:00-07:00', '2026-04-04T12:00:00', '2026-04-04T21:00:00'],
    ['Pacific/Auckland', '22:00-06:00', '2026-04-04T10:00:00', '2026-04-04T18:00:00'],
    ['Australia/Lord_Howe', '22:00-02:00', '2026-04-04T12:00:00', '2026-04-04T15:30:00'],
  ]);

  table('the clock is put back over the end: the first occurrence counts', [
    ['Europe/Paris', '22:00-02:30', '2026-10-24T21:00:00', '2026-10-25T00:30:00'],
    ['Europe/Paris', '22:00-02:30', '2026-10-25T01:15:00', null],
    ['Europe/Paris', '02:30-04:00', '2026-10-25T00:30:00', '2026-10-25T03:00:00'],
    ['Australia/Lord_Howe', '22:00-01:45', '2026-04-04T12:00:00', '2026-04-04T14:45:00'],
    ['America/Havana', '20:00-00:30', '2026-11-01T01:00:00', '2026-11-01T04:30:00'],
  ]);

  table('a zone without the 30th of December 2011', [
    ['Pacific/Apia', '22:00-08:00', '2011-12-30T08:30:00', '2011-12-30T18:00:00'],
    ['Pacific/Apia', '22:00-08:00', '2011-12-30T10:00:00', '2011-12-30T18:00:00'],
    ['Pacific/Apia', '22:00-08:00', '2011-12-30T18:00:00', null],
  ]);
});

describe('days', () => {
  // The 5th of January 2026 is a Monday.
  it.each(weekdays.map((day, index) => [day, 5 + index] as const))('a window of %s starts on that day', (day, date) => {
    const saysQuietAt = (dayOfMonth: number, time: string): boolean => {
      const at = new Date(`2026-01-${String(dayOfMonth).padStart(2, '0')}T${time}:00Z`);
      return quietUntil(own(on([day], '22:00-08:00'), 'UTC'), 'sms', at) !== null;
    };
    expect(saysQuietAt(date, '07:59')).toBe(false);
    expect(saysQuietAt(date, '22:00')).toBe(true);
    expect(saysQuietAt(date + 1, '07:59')).toBe(true);
    expect(saysQuietAt(date + 1, '22:00')).toBe(false);
  });

  it('equal times are a whole day', () => {
    const sunday = own(on(['sun'], '00:00-00:00'), 'Europe/Paris');
    expect(untilOf(quietUntil(sunday, 'sms', new Date('2026-01-10T23:00:00Z')))).toBe('2026-01-11T23:00:00');
    expect(quietUntil(sunday, 'sms', new Date('2026-01-10T22:59:59Z'))).toBeNull();
  });

  it('adjacent and overlapping windows are followed to the end of the last', () => {
    const hours: QuietHours = {
      windows: [
        { days: ['fri'], from: '18:00', to: '00:00' },
        { days: ['sat', 'sun'], from: '00:00', to: '00:00' },
        { days: ['sun'], from: '23:00', to: '09:00' },
      ],
    };
    expect(untilOf(quietUntil(own(hours, 'UTC'), 'sms', new Date('2026-01-09T18:00:00Z')))).toBe('2026-01-12T09:00:00');
  });

  it('hours without any free time end after eight days, to be decided again', () => {
    const always = own(daily('00:00-00:00'), 'UTC');
    expect(untilOf(quietUntil(always, 'sms', new Date('2026-01-01T12:00:00Z')))).toBe('2026-01-09T12:00:00');
  });
});

describe('sources', () => {
  const night = new Date('2026-01-15T23:30:00Z');
  const ruleOf = (given: Given, channel: 'sms' | 'email' = 'sms'): string | undefined =>
    quietUntil(factsOf(given), channel, night)?.rule;

  it("the recipient's own hours replace the tenant's default, also when they are empty", () => {
    const settings = { quiet_hours: daily('22:00-08:00') };
    expect(ruleOf({ settings })).toBe('tenant.quiet_hours');
    expect(ruleOf({ settings, quietHours: daily('23:00-05:00') })).toBe('recipient.quiet_hours');
    expect(ruleOf({ settings, quietHours: { windows: [] } })).toBeUndefined();
  });

  it("the operator's hours of the channel apply in any case", () => {
    const given = { settings: { quiet_hours_floor: { sms: daily('21:00-09:00') } }, quietHours: { windows: [] } };
    expect(ruleOf(given)).toBe('operator.quiet_hours_floor');
    expect(ruleOf(given, 'email')).toBeUndefined();
  });

  it('of two sources the one that ends last decides, and both are followed to the end', () => {
    const settings = { quiet_hours_floor: { sms: daily('21:00-01:00') } };
    expect(quietUntil(factsOf({ settings, quietHours: daily('23:00-06:00') }), 'sms', night)).toEqual({
      until: new Date('2026-01-16T06:00:00Z'),
      rule: 'recipient.quiet_hours',
      timezone: 'UTC',
    });
    expect(quietUntil(factsOf({ settings, quietHours: daily('01:00-06:00') }), 'sms', night)).toMatchObject({
      until: new Date('2026-01-16T06:00:00Z'),
      rule: 'operator.quiet_hours_floor',
    });
  });

  it("the zone is that of the hours, else the recipient's, else the tenant's, else UTC", () => {
    const zoneOf = (hours: QuietHours, own: string | null, tenants?: string): string | undefined => {
      const settings = tenants ? { timezone: tenants } : {};
      return quietUntil(factsOf({ quietHours: hours, timezone: own, settings }), 'sms', night)?.timezone;
    };
    const allDay = daily('00:00-00:00');
    expect(zoneOf({ ...allDay, timezone: 'Asia/Tokyo' }, 'Asia/Seoul', 'Asia/Dubai')).toBe('Asia/Tokyo');
    expect(zoneOf(allDay, 'Asia/Seoul', 'Asia/Dubai')).toBe('Asia/Seoul');
    expect(zoneOf(allDay, null, 'Asia/Dubai')).toBe('Asia/Dubai');
    expect(zoneOf(allDay, null)).toBe('UTC');
  });

  it('a zone that the runtime does not know counts as UTC', () => {
    expect(untilOf(quietUntil(own(daily('22:00-08:00'), 'Mars/Olympus'), 'sms', night))).toBe('2026-01-16T08:00:00');
  });
});

describe('decideQuietHours', () => {
  const at = new Date('2026-01-15T23:30:00Z');
  const quietHours = daily('22:00-08:00');

  it('holds without a category, and does what the category says', () => {
    expect(decideQuietHours(factsOf({ quietHours }), 'sms', at)).toEqual({
      action: 'hold',
      reason: 'quiet_hours',
      rule: 'recipient.quiet_hours',
      timezone: 'UTC',
      until: new Date('2026-01-16T08:00:00Z'),
      detail: 'quiet hours of the recipient, in UTC',
    });
    const actionOf = (onHold: HoldPolicy): string | undefined =>
      decideQuietHours(factsOf({ quietHours, category: { onHold } }), 'email', at)?.action;
    expect(holdPolicies.map(actionOf)).toEqual(holdPolicies);
  });

  it('never keeps back webhooks, and inbox items only to combine them', () => {
    const isKept = (channel: 'webhook' | 'in_app', onHold: HoldPolicy): boolean =>
      decideQuietHours(factsOf({ quietHours, category: { onHold } }), channel, at) !== null;
    expect(isKept('webhook', 'combine')).toBe(false);
    expect((['hold', 'downgrade', 'drop'] as const).some((onHold) => isKept('in_app', onHold))).toBe(false);
    expect(isKept('in_app', 'combine')).toBe(true);
  });

  it("a category that bypasses quiet hours is subject to the operator's only", () => {
    const settings = { quiet_hours: daily('22:00-08:00'), quiet_hours_floor: { sms: daily('23:00-06:00') } };
    const category = { bypassQuietHours: true };
    const ruleOf = (given: Given, channel: 'sms' | 'email'): string | undefined =>
      decideQuietHours(factsOf({ settings, category, ...given }), channel, at)?.rule;
    expect(ruleOf({}, 'email')).toBeUndefined();
    expect(ruleOf({ quietHours }, 'email')).toBeUndefined();
    expect(ruleOf({ quietHours }, 'sms')).toBe('operator.quiet_hours_floor');
  });
});

describe('releaseTime', () => {
  const until = new Date('2026-01-16T08:00:00Z');
  const releases = (quietHours: QuietHours, spreadSeconds: number): number[] =>
    Array.from({ length: 2_000 }, (_, index) => {
      const deliveryId = `019b0000-0000-7000-8000-${index.toString(16).padStart(12, '0')}`;
      const facts = factsOf({ quietHours, settings: { quiet_hours_spread_seconds: spreadSeconds } });
      const release = releaseTime(facts, { channel: 'sms', until, deliveryId });
      return (release.getTime() - until.getTime()) / 1_000;
    });

  it('spreads evenly by the id of the delivery', () => {
    const found = releases(daily('22:00-08:00'), 300);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...found)).toBeLessThan(300);
    for (let minute = 0; minute < 5; minute += 1) {
      const inMinute = found.filter((seconds) => Math.floor(seconds / 60) === minute).length;
      expect(inMinute).toBeGreaterThan(300);
      expect(inMinute).toBeLessThan(500);
    }
    expect(new Set(releases(daily('22:00-08:00'), 0))).toEqual(new Set([0]));
  });

  it('never enters the next quiet hours', () => {
    const found = releases(daily('08:02-07:59'), 3_600);
    expect(Math.max(...found)).toBeLessThan(120);
    expect(new Set(found).size).toBeGreaterThan(100);
  });
});

it('the schema of the API rejects hours without free time, bad times and unknown zones', () => {
  const messagesOf = (value: unknown): (string | undefined)[] | undefined =>
    quietHours.safeParse(value).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  expect(messagesOf(daily('22:00-08:00', 'Europe/Paris'))).toBeUndefined();
  const noTime = ['windows: must leave at least one minute of the week free'];
  expect(messagesOf(daily('00:00-00:00'))).toEqual(noTime);
  expect(messagesOf({ windows: [...daily('22:00-08:00').windows, ...daily('08:00-22:00').windows] })).toEqual(noTime);
  expect(messagesOf(daily('00:00-23:59'))).toBeUndefined();
  expect(messagesOf(on(['mon', 'tue', 'wed', 'thu', 'fri', 'sat'], '00:00-00:00'))).toBeUndefined();
  expect(messagesOf(daily('24:00-08:00'))).toEqual(['windows.0.from: must be a time of day like "22:00"']);
  expect(messagesOf(daily('22:00-08:00', 'Mars/Olympus'))).toEqual([
    'timezone: must be an IANA time zone like "Europe/Paris"',
  ]);
});
