import { Text } from '@mantine/core';
import { useEffect, useState } from 'react';

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;
/** Older times are shown as a date. */
const RELATIVE_SECONDS = 7 * 86_400;

const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

/** A time as "5 minutes ago", with the whole time in the reader's zone on hover. */
export function Time({ value, none = '–' }: { value: string | null | undefined; none?: string }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  if (!value)
    return (
      <Text span c="dimmed" size="sm">
        {none}
      </Text>
    );
  return (
    <Text component="time" size="sm" dateTime={value} title={absolute.format(new Date(value))}>
      {timeInWords(value, now)}
    </Text>
  );
}

export function timeInWords(value: string, now: number): string {
  const seconds = (Date.parse(value) - now) / 1_000;
  if (Math.abs(seconds) > RELATIVE_SECONDS) return absolute.format(new Date(value));
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  return relative.format(Math.trunc(seconds / length), unit);
}

/** A text that is no time, as of an address that was typed, stays as it is. */
export function wholeTime(value: string): string {
  return Number.isNaN(Date.parse(value)) ? value : absolute.format(new Date(value));
}
