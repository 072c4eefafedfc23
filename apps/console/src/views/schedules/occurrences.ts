// Loaded with the calendar only: the library of recurrence rules is larger than the rest of the view.
// The server decides when a schedule fires (docs/schedules.md); this shows the same times, by the same rules.

import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';

/** The calendar shows this many of a month. A rule that fires each minute has 44,640. */
const MAX_OCCURRENCES = 2_000;

/** The parts of a schedule that decide when it fires. */
export interface Recurrence {
  rrule: string;
  starts_at_local: string;
  exdates: readonly string[];
  /** An IANA zone, or `recipient`. */
  timezone: string;
}

export interface Occurrence {
  /** The time that the rule names: `2026-12-24T09:00:00`. */
  local: string;
  /** The time that clocks of the zone show when it fires; null in the zone of the recipient. */
  shown: string | null;
  /** Why `shown` or the time since the last occurrence is unusual. */
  note: string | null;
}

/** Occurrences of the month `2026-12`, in the local time of the schedule. Throws if the rule cannot be read. */
export function occurrencesOf(schedule: Recurrence, month: string): { found: Occurrence[]; isCut: boolean } {
  const { rrule, starts_at_local, exdates, timezone } = schedule;
  const end = /;?UNTIL=(\d{8})(?:T(\d{6})(Z?))?/.exec(rrule);
  const rule = new RRuleTemporal({
    // The library takes an end in UTC only; the rules of Carillon may have a local one.
    rruleString: rrule.replace(end?.[0] ?? '', '').replace(/^;/, ''),
    dtstart: Temporal.PlainDateTime.from(starts_at_local).toZonedDateTime('UTC'),
    cache: false,
  });
  const first = Temporal.PlainDate.from(`${month}-01`).toZonedDateTime('UTC');
  const lastMs = first.add({ months: 1 }).epochMilliseconds - 1;
  const found: Occurrence[] = [];
  let beforeMs = first.epochMilliseconds - 1;
  while (found.length < MAX_OCCURRENCES) {
    const next = rule.next(new Date(beforeMs));
    if (!next || next.epochMilliseconds > lastMs) return { found, isCut: false };
    beforeMs = next.epochMilliseconds;
    const text = new Date(beforeMs).toISOString().slice(0, 19);
    if (end && isAfter(text, end, timezone)) return { found, isCut: false };
    if (exdates.some((left) => text === left || text.slice(0, 10) === left)) continue;
    found.push(shownIn(Temporal.PlainDateTime.from(text), timezone));
  }
  return { found, isCut: true };
}

/** The day of the next occurrence, or of today, on the clock of the schedule. */
export function firstDay({ next, timezone }: { next: readonly string[]; timezone: string }): string {
  if (timezone === 'recipient') return next[0]?.slice(0, 10) ?? Temporal.Now.plainDateISO().toString();
  const instant = next[0] ? Temporal.Instant.from(next[0]) : Temporal.Now.instant();
  return instant.toZonedDateTimeISO(timezone).toPlainDate().toString();
}

/** Of an UNTIL: a day, a local time, or an instant if it ends with Z. */
function isAfter(local: string, [, day = '', time = '235959', z]: RegExpExecArray, zone: string): boolean {
  const at = z && zone !== 'recipient' ? instantOf(local, zone) : local;
  return at.replaceAll(/[-:]/g, '') > `${day}T${time}`;
}

function instantOf(local: string, zone: string): string {
  const at = Temporal.PlainDateTime.from(local).toZonedDateTime(zone).epochMilliseconds;
  return new Date(at).toISOString().slice(0, 19);
}

function shownIn(local: Temporal.PlainDateTime, zone: string): Occurrence {
  const text = local.toString({ smallestUnit: 'second' });
  if (zone === 'recipient') return { local: text, shown: null, note: null };
  const [earlier, later] = (['earlier', 'later'] as const).map((disambiguation) =>
    local.toZonedDateTime(zone, { disambiguation }),
  ) as [Temporal.ZonedDateTime, Temporal.ZonedDateTime];
  const fires = local.toZonedDateTime(zone);
  const shown = fires.toPlainDateTime().toString({ smallestUnit: 'second' });
  if (shown !== text) return { local: text, shown, note: `Clocks skip ${text.slice(11, 16)} on this day.` };
  if (!earlier.equals(later))
    return {
      local: text,
      shown,
      note: `Clocks show ${text.slice(11, 16)} twice on this day: it fires the first time.`,
    };
  return { local: text, shown, note: null };
}

/** `29 March: clocks go forward by 1 hour`, for the changes in the month. */
export function clockChanges(zone: string, month: string): string[] {
  if (zone === 'recipient') return [];
  const first = Temporal.PlainDate.from(`${month}-01`).toZonedDateTime(zone);
  const end = first.add({ months: 1 });
  const changes: string[] = [];
  let at = first.getTimeZoneTransition('next');
  while (at && Temporal.ZonedDateTime.compare(at, end) < 0) {
    const minutes = (at.offsetNanoseconds - at.subtract({ seconds: 1 }).offsetNanoseconds) / 60e9;
    const size = Math.abs(minutes) === 60 ? 'an hour' : `${Math.abs(minutes)} minutes`;
    const day = at.toPlainDate().toLocaleString(undefined, { day: 'numeric', month: 'long' });
    changes.push(
      `On ${day} clocks go ${minutes > 0 ? 'forward' : 'back'} by ${size}. The schedule keeps its local time, ` +
        `so the time between two occurrences is ${size} ${minutes > 0 ? 'shorter' : 'longer'} there.`,
    );
    at = at.getTimeZoneTransition('next');
  }
  return changes;
}
