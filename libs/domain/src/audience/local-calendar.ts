// When the days and the times of day of a time zone are. All calendar rules come from Temporal; the results are kept,
// because a worker asks for the same few days and times again and again.

import { LRUCache } from 'lru-cache';
import { Temporal } from 'temporal-polyfill';
import { firstTimezone } from './timezone.js';

/** A time of day on one date, as milliseconds since the epoch. */
export interface Boundary {
  /**
   * The first occurrence if the clock is put back over this time; moved forward by the length of the gap if the clock
   * is put forward over it.
   */
  at: number;
  /** If the clock is put forward over this time: when that happens. Otherwise null. */
  gapEndsAt: number | null;
}

/** A date in a time zone. Its number counts the days since 1970-01-01. */
export interface LocalDay {
  number: number;
  /** 1 for Monday to 7 for Sunday. */
  weekday: number;
  startsAt: number;
  boundaries: Map<number, Boundary>;
}

const DAY_MS = 86_400_000;
/** Names are not case-sensitive, so that there are more of them than zones. */
const MAX_ZONES = 1_000;
const MAX_DAYS = 64;

const calendars = new LRUCache<string, LocalCalendar>({ max: MAX_ZONES });

/** Uses UTC if the zone is not usable. */
export function calendarOf(timezone: string): LocalCalendar {
  const known = calendars.get(timezone);
  if (known) return known;
  const calendar = new LocalCalendar(firstTimezone(timezone));
  calendars.set(timezone, calendar);
  return calendar;
}

export class LocalCalendar {
  private readonly days = new LRUCache<number, LocalDay>({ max: MAX_DAYS });

  constructor(private readonly timezone: string) {}

  /** The day in which a time is. Where the clock is put back over midnight, the next day has begun already. */
  dayAt(time: number): LocalDay {
    const date = Math.floor(time / DAY_MS);
    // A zone is less than a day away from UTC.
    for (let number = date - 1; number <= date + 1; number += 1) {
      const day = this.days.get(number);
      const next = this.days.get(number + 1);
      if (day && next && day.startsAt <= time && time < next.startsAt) return day;
    }
    const local = Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(this.timezone).toPlainDate();
    let day = this.day(numberOf(local));
    for (let next = this.day(day.number + 1); next.startsAt <= time; next = this.day(day.number + 1)) day = next;
    return day;
  }

  day(number: number): LocalDay {
    const known = this.days.get(number);
    if (known) return known;
    const date = dateOf(number);
    const startsAt = date.toZonedDateTime(this.timezone).epochMilliseconds;
    const day = { number, weekday: date.dayOfWeek, startsAt, boundaries: new Map<number, Boundary>() };
    this.days.set(number, day);
    return day;
  }

  /** @param minute since 00:00 by the clock. */
  boundary(day: LocalDay, minute: number): Boundary {
    const known = day.boundaries.get(minute);
    if (known) return known;
    const wanted = dateOf(day.number).toPlainDateTime({ hour: Math.floor(minute / 60), minute: minute % 60 });
    const found = wanted.toZonedDateTime(this.timezone, { disambiguation: 'compatible' });
    const isSkipped = !found.toPlainDateTime().equals(wanted);
    const boundary = { at: found.epochMilliseconds, gapEndsAt: isSkipped ? gapEndOver(wanted, this.timezone) : null };
    day.boundaries.set(minute, boundary);
    return boundary;
  }
}

/** When the clock is put forward over a time. Searched from before the gap: a change is not its own previous one. */
function gapEndOver(time: Temporal.PlainDateTime, timezone: string): number | null {
  const before = time.toZonedDateTime(timezone, { disambiguation: 'earlier' });
  return before.getTimeZoneTransition('next')?.epochMilliseconds ?? null;
}

const EPOCH = new Temporal.PlainDate(1970, 1, 1);
const dateOf = (number: number): Temporal.PlainDate => EPOCH.add({ days: number });
const numberOf = (date: Temporal.PlainDate): number => EPOCH.until(date, { largestUnit: 'days' }).days;
