/** The times that charts can show, each with the length of its intervals. */
export const RANGES = {
  '1h': { label: '1 h', ms: 3_600_000, interval: 'minute', refreshMs: 10_000 },
  '24h': { label: '24 h', ms: 86_400_000, interval: 'hour', refreshMs: 30_000 },
  '7d': { label: '7 days', ms: 604_800_000, interval: 'hour', refreshMs: 60_000 },
  '30d': { label: '30 days', ms: 2_592_000_000, interval: 'day', refreshMs: 60_000 },
} as const;

export type Range = keyof typeof RANGES;
type Interval = (typeof RANGES)[Range]['interval'];

const INTERVAL_MS: Record<Interval, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

export function isRange(text: string | null): text is Range {
  return text !== null && Object.hasOwn(RANGES, text);
}

/** The query of a range that ends now. It begins with a whole interval, in UTC like those of the answer. */
export function queryOf(range: Range, now: number): { from: string; to: string; interval: Interval } {
  const { ms, interval } = RANGES[range];
  const size = INTERVAL_MS[interval];
  const from = Math.ceil((now - ms) / size) * size;
  return { from: new Date(from).toISOString(), to: new Date(now).toISOString(), interval };
}

/** The beginnings of all intervals of a query. */
export function intervalsOf({ from, to, interval }: ReturnType<typeof queryOf>): string[] {
  const size = INTERVAL_MS[interval];
  const [first, end] = [Date.parse(from), Date.parse(to)];
  return Array.from({ length: Math.ceil((end - first) / size) }, (_, index) =>
    new Date(first + index * size).toISOString(),
  );
}
