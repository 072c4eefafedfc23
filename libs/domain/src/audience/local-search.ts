// Finds the next local time of a recurrence rule. One search takes 100 to 500 µs, longer than all else that a worker
// does for an occurrence. Thousands of schedules have the same rule and differ in when they were created only, so that
// each search begins at a late start that has the same result, and results are kept.

import { LRUCache } from 'lru-cache';
import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
import type { RecurrenceRule } from './recurrence-rule.js';

/** `too_costly`: the search was given up after its limit of work. */
export type FoundLocal = string | null | 'too_costly';

/** From where a rule counts, and the local times that it leaves out. */
interface Start {
  startsAtLocal: string;
  exdates: readonly string[];
}

/** Periods that the library looks at in one search. A rule that finds nothing by then is refused. */
const MAX_PERIODS: Record<string, number> = {
  YEARLY: 40,
  MONTHLY: 120,
  WEEKLY: 160,
  DAILY: 750,
  HOURLY: 150,
  MINUTELY: 150,
};
/** Candidates inside the periods, for example all minutes of a year from which BYSETPOS takes the last. */
const MAX_CANDIDATES = 3_000;
const MINUTE_MS = 60_000;
const PERIOD_MS: Record<string, number> = {
  WEEKLY: 7 * 24 * 60 * MINUTE_MS,
  DAILY: 24 * 60 * MINUTE_MS,
  HOURLY: 60 * MINUTE_MS,
  MINUTELY: MINUTE_MS,
};

/** The frequencies of which a start at midnight makes no difference if the rule has hours and minutes. */
const TAKES_TIMES = ['MONTHLY', 'WEEKLY', 'DAILY'];

/** At most 10 MB, if all keys have the longest rule and 100 local times; usually 1 MB. */
const results = new LRUCache<string, { local: FoundLocal }>({ max: 4_000 });

/** The first local time of the rule after this one. Days that are left out as a whole are those of the caller. */
export function nextLocal(rule: RecurrenceRule, { startsAtLocal, exdates }: Start, after: string): FoundLocal {
  // The library knows no dates, and times before `after` make no difference.
  const leftOut = exdates.filter((one) => one.includes('T') && one > after);
  const start = { startsAtLocal: lateStart(rule.pattern, startsAtLocal, after), exdates: leftOut };
  const key = [rule.pattern, start.startsAtLocal, after, ...leftOut].join(' ');
  const known = results.get(key);
  if (known) return known.local;
  const local = search(rule, start, after);
  results.set(key, { local });
  return local;
}

/** The local time of this number, counted from the start, or the last one before it. Null without any. */
export function localAt(rule: RecurrenceRule, start: Start, count: number): FoundLocal {
  try {
    const last = libraryRuleOf(rule, start)
      .all((_, index) => index < count)
      .at(-1);
    return last ? textOf(last) : null;
  } catch {
    return 'too_costly';
  }
}

function search(rule: RecurrenceRule, start: Start, after: string): FoundLocal {
  try {
    const next = libraryRuleOf(rule, start).next(toUtc(after));
    return next && textOf(next);
  } catch {
    // The library throws plain errors: beyond its limits, and beyond the last year of Temporal.
    return 'too_costly';
  }
}

/**
 * A late start that is not after `after` and has the same occurrences after it: a whole number of intervals later, and
 * at midnight if the rule says at which hours and minutes it happens. Rules that take their day of the month or year
 * from the start keep it, because months and years differ in length.
 */
export function lateStart(pattern: string, startsAtLocal: string, after: string): string {
  const frequency = frequencyOf(pattern);
  const interval = Number(/INTERVAL=(\d+)/.exec(pattern)?.[1] ?? 1);
  const late =
    frequency === 'MONTHLY' && /BYDAY=|BYMONTHDAY=/.test(pattern)
      ? firstOfMonth(startsAtLocal, after, interval)
      : wholePeriodsLater(startsAtLocal, after, interval * (PERIOD_MS[frequency] ?? Number.POSITIVE_INFINITY));
  const hasTimes = pattern.includes('BYHOUR=') && pattern.includes('BYMINUTE=') && TAKES_TIMES.includes(frequency);
  const start = hasTimes ? `${late.slice(0, 10)}T00:00:${late.slice(17)}` : late;
  return startsAtLocal <= after && start <= after ? start : startsAtLocal;
}

function wholePeriodsLater(startsAtLocal: string, after: string, intervalMs: number): string {
  const start = Date.parse(`${startsAtLocal}Z`);
  const passed = Date.parse(`${after}Z`) - start;
  return isoOf(start + passed - (passed % intervalMs));
}

function firstOfMonth(startsAtLocal: string, after: string, interval: number): string {
  const first = monthOf(startsAtLocal);
  const passed = monthOf(after) - first;
  return `${isoOf(Date.UTC(0, first + passed - (passed % interval))).slice(0, 8)}01${startsAtLocal.slice(10)}`;
}

/** Counted from the year 1900, as Date.UTC does for the year 0. */
function monthOf(local: string): number {
  return (Number(local.slice(0, 4)) - 1900) * 12 + Number(local.slice(5, 7)) - 1;
}

/** The library's own zone is UTC: it is used as a clock without changes. */
function libraryRuleOf({ pattern }: RecurrenceRule, { startsAtLocal, exdates }: Start): RRuleTemporal {
  return new RRuleTemporal({
    rruleString: pattern,
    dtstart: toUtc(startsAtLocal),
    exDate: exdates.map(toUtc),
    maxIterations: MAX_PERIODS[frequencyOf(pattern)]!,
    maxCandidateEvaluations: MAX_CANDIDATES,
    cache: false,
  });
}

function frequencyOf(pattern: string): string {
  return /FREQ=(\w+)/.exec(pattern)![1]!;
}

function toUtc(local: string): Temporal.ZonedDateTime {
  return Temporal.PlainDateTime.from(local).toZonedDateTime('UTC');
}

function textOf({ epochMilliseconds }: { epochMilliseconds: number }): string {
  return isoOf(epochMilliseconds);
}

function isoOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 19);
}
