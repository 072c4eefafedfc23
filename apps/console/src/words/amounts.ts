/** `1 row`, `1,200 rows`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count.toLocaleString()} ${count === 1 ? singular : plural}`;
}

/** `850 ms`, `2.5 s`, `3 min` or `2 h`. */
export function shortDuration(ms: number): string {
  if (ms > 0 && ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000).toLocaleString()} h`;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** `2 minutes 30 seconds`, in the largest unit and the one below it. */
export function durationInWords(seconds: number): string {
  const at = UNITS.findIndex(([, size]) => seconds >= size);
  if (at === -1) return 'less than a second';
  const [unit, size] = UNITS[at]!;
  const whole = Math.floor(seconds / size);
  const below = UNITS[at + 1];
  const rest = below && whole < 10 ? Math.floor((seconds - whole * size) / below[1]) : 0;
  return below && rest > 0 ? `${counted(whole, unit)} ${counted(rest, below[0])}` : counted(whole, unit);
}
