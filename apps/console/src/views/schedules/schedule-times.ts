/** `next` has local times, without an offset, for schedules in the zone of the recipient, else instants. */
export function nextInWords(next: string, zone: string): string {
  return zone === 'recipient' ? localInWords(next) : instantInWords(next, zone);
}

/** In the zone of the schedule, not in that of the reader. */
export function instantInWords(instant: string, zone: string): string {
  return new Intl.DateTimeFormat(undefined, { ...WITH_DAY, timeZone: zone }).format(new Date(instant));
}

/** A local time is formatted as if it were UTC, since it has no zone. */
export function localInWords(local: string): string {
  return new Intl.DateTimeFormat(undefined, { ...WITH_DAY, timeZone: 'UTC' }).format(
    new Date(`${local.slice(0, 19)}Z`),
  );
}

const WITH_DAY = {
  weekday: 'short',
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
} as const;
