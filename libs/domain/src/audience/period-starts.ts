// Days and months of a time zone as points in time. A day has 23 to 25 hours where clocks change.

import { Temporal } from 'temporal-polyfill';

/** More days than deliveries can be held ahead by a limit (TURNS_PER_HIT in libs/rate-limit). */
const DAYS_AHEAD = 13;
const MONTHS_AHEAD = 3;
/** The index of the current period. One is before it, for a database whose clock is behind the caller's. */
const CURRENT = 1;

/** Names are not case-sensitive, so that there are more of them than zones. */
const MAX_ZONES = 1_000;

const days = new Map<string, readonly number[]>();
const months = new Map<string, readonly number[]>();

/**
 * The starts of the local days around `at`, ascending, from yesterday on. A day starts at midnight, or at the first
 * moment that exists. Times are milliseconds since 1970.
 */
export function dayStarts(zone: string, at: number): readonly number[] {
  return remembered(days, zone, at, () => {
    const today = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate();
    return Array.from({ length: DAYS_AHEAD + 2 }, (_, index) => startOf(today.add({ days: index - CURRENT }), zone));
  });
}

/** The same for months. */
export function monthStarts(zone: string, at: number): readonly number[] {
  return remembered(months, zone, at, () => {
    const first = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate().with({ day: 1 });
    return Array.from({ length: MONTHS_AHEAD + 2 }, (_, index) =>
      startOf(first.add({ months: index - CURRENT }), zone),
    );
  });
}

function startOf(date: Temporal.PlainDate, zone: string): number {
  return date.toZonedDateTime(zone).epochMilliseconds;
}

/** A calendar costs some hundred microseconds. */
function remembered(
  known: Map<string, readonly number[]>,
  zone: string,
  at: number,
  compute: () => readonly number[],
): readonly number[] {
  const found = known.get(zone);
  if (found && found[CURRENT]! <= at && at < found[CURRENT + 1]!) return found;
  const starts = compute();
  if (known.size >= MAX_ZONES) known.clear();
  known.set(zone, starts);
  return starts;
}
