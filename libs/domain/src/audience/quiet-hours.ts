import type { ChannelId } from '../channels/registry.js';
import { fnv1a } from '../hash.js';
import type { TenantSettings } from '../tenant-settings.js';
import { calendarOf, type LocalCalendar } from './local-calendar.js';
import { type CategoryPolicy, type HoldPolicy, minuteOf, type QuietHours, type Weekday, weekdays } from './policies.js';
import { firstTimezone } from './timezone.js';

/** What quiet hours depend on. A `DeliveryContext` has these fields. */
export interface QuietFacts {
  /** The recipient's own hours; null if there are none, so that the tenant's apply. */
  quietHours: QuietHours | null;
  recipient: { timezone: string | null } | null;
  /** Null if the tenant has not created the category: then quiet hours hold its deliveries. */
  category: Pick<CategoryPolicy, 'onHold' | 'bypassQuietHours'> | null;
  tenant: { settings: QuietSettings };
}

type QuietSettings = Pick<
  TenantSettings,
  'timezone' | 'quiet_hours' | 'quiet_hours_floor' | 'quiet_hours_spread_seconds'
>;

type QuietRule = 'recipient.quiet_hours' | 'tenant.quiet_hours' | 'operator.quiet_hours_floor';

interface QuietTime {
  /** The first moment after `at` at which no source is quiet, at most {@link MAX_QUIET_DAYS} after it. */
  until: Date;
  /** The hours that are quiet at `at`; those that end last, if there are several. */
  rule: QuietRule;
  timezone: string;
}

export interface QuietDecision extends QuietTime {
  action: HoldPolicy;
  reason: 'quiet_hours';
  detail: string;
}

/** Hours that leave no time free within this many days are decided again then. */
const MAX_QUIET_DAYS = 8;
const DEFAULT_SPREAD_SECONDS = 300;

const DAY_MS = 86_400_000;

interface Hours {
  rule: QuietRule;
  timezone: string;
  windows: QuietHours['windows'];
}

const owners: Record<QuietRule, string> = {
  'recipient.quiet_hours': 'the recipient',
  'tenant.quiet_hours': 'the tenant',
  'operator.quiet_hours_floor': 'the operator',
};

/**
 * What the category does with a delivery on this channel at this time; null outside quiet hours. Webhooks are never
 * subject to quiet hours, and inbox items only in a category that combines what was held.
 */
export function decideQuietHours(facts: QuietFacts, channel: ChannelId, at: Date): QuietDecision | null {
  const action = facts.category?.onHold ?? 'hold';
  if (channel === 'webhook' || (channel === 'in_app' && action !== 'combine')) return null;
  const quiet = quietUntil(facts, channel, at);
  if (!quiet) return null;
  const detail = `quiet hours of ${owners[quiet.rule]}, in ${quiet.timezone}`;
  return { ...quiet, action, reason: 'quiet_hours', detail };
}

/** Null if no hours are quiet at `at`. The start of a window is quiet, its end is not. */
export function quietUntil(facts: QuietFacts, channel: ChannelId, at: Date): QuietTime | null {
  const hours = hoursOf(facts, channel);
  if (hours.length === 0) return null;
  const time = at.getTime();
  let deciding: { source: Hours; end: number } | null = null;
  for (const source of hours) {
    const end = endOf(source, time);
    if (end > time && end > (deciding?.end ?? 0)) deciding = { source, end };
  }
  if (!deciding) return null;
  const limit = time + MAX_QUIET_DAYS * DAY_MS;
  let until = deciding.end;
  for (let before = 0; before < until && until < limit; ) {
    before = until;
    for (const source of hours) until = endOf(source, until);
  }
  const { rule, timezone } = deciding.source;
  return { until: new Date(Math.min(until, limit)), rule, timezone };
}

/**
 * The time at which a delivery that waited until `until` leaves: spread over some minutes by its id, so that not all
 * leave at once, and never in the next quiet hours.
 */
export function releaseTime(
  facts: QuietFacts,
  { channel, until, deliveryId }: { channel: ChannelId; until: Date; deliveryId: string },
): Date {
  const { quiet_hours_spread_seconds: spreadSeconds = DEFAULT_SPREAD_SECONDS } = facts.tenant.settings;
  let delayMs = (fnv1a(deliveryId) / 2 ** 32) * spreadSeconds * 1_000;
  while (delayMs >= 1_000) {
    const release = new Date(until.getTime() + delayMs);
    if (!quietUntil(facts, channel, release)) return release;
    delayMs /= 2;
  }
  return until;
}

/**
 * The recipient's own hours, or else the tenant's; and the operator's in any case: they also apply to a category that
 * bypasses quiet hours.
 */
function hoursOf(
  { quietHours: own, recipient, category, tenant: { settings } }: QuietFacts,
  channel: ChannelId,
): Hours[] {
  const found: Hours[] = [];
  const add = (rule: QuietRule, hours: QuietHours | undefined): void => {
    if (!hours || hours.windows.length === 0) return;
    const timezone = firstTimezone(hours.timezone, recipient?.timezone, settings.timezone);
    found.push({ rule, timezone, windows: hours.windows });
  };
  if (!category?.bypassQuietHours)
    add(own ? 'recipient.quiet_hours' : 'tenant.quiet_hours', own ?? settings.quiet_hours);
  add('operator.quiet_hours_floor', settings.quiet_hours_floor?.[channel]);
  return found;
}

/** The end of the windows around `time` that overlap or adjoin each other, or `time` itself outside all windows. */
function endOf({ timezone, windows }: Hours, time: number): number {
  const calendar = calendarOf(timezone);
  const today = calendar.dayAt(time).number;
  const quiet: { start: number; end: number }[] = [];
  let until = time;
  // A window that starts two days ago can last until now if the clock is put forward by a day.
  for (let number = today - 2; number <= today + MAX_QUIET_DAYS; number += 1) {
    if (number > today && calendar.day(number).startsAt > until) break;
    addWindows(quiet, calendar, { number, windows });
    for (let before = -1; before < until; ) {
      before = until;
      for (const { start, end } of quiet) if (start <= until && until < end) until = end;
    }
  }
  return until;
}

/** Adds the windows that start on a day. */
function addWindows(
  quiet: { start: number; end: number }[],
  calendar: LocalCalendar,
  { number, windows }: { number: number; windows: Hours['windows'] },
): void {
  const day = calendar.day(number);
  const name = weekdays[day.weekday - 1] as Weekday;
  for (const { days, from, to } of windows) {
    if (!days.includes(name)) continue;
    const start = calendar.boundary(day, minuteOf(from));
    const end = calendar.boundary(to > from ? day : calendar.day(number + 1), minuteOf(to));
    // If only the start is skipped, the window begins when the clock is put forward.
    const startsAt = end.gapEndsAt === null ? (start.gapEndsAt ?? start.at) : start.at;
    quiet.push({ start: startsAt, end: end.at });
  }
}
