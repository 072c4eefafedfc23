// Classes of latencies, so that counts of minutes add up to those of hours and days. Each is half as long again as the
// one before: a percentile is known to about a fifth.

const FIRST_MS = 10;
const FACTOR = 1.5;
/** More than a month. */
const LAST = 48;

/** SQL for the class of a row of `deliveries`. As double precision: logarithms of `numeric` take much longer. */
export const LATENCY_CLASS = `case when sent_at is null then -1 else
    least(${LAST}, greatest(0, floor(
      ln(greatest(extract(epoch from sent_at - created_at)::float8 * 1000, 1) / ${FIRST_MS}) / ln(${FACTOR}::float8)
    )))::smallint end`;

/** The middle of a class, in seconds. */
export function secondsOf(latencyClass: number): number {
  return (FIRST_MS * FACTOR ** (latencyClass + 0.5)) / 1_000;
}

/** The latency that a share of the counted deliveries did not exceed; null if none was counted. */
export function percentile(counts: ReadonlyMap<number, number>, share: number): number | null {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [latencyClass, count] of [...counts].sort(([left], [right]) => left - right)) {
    seen += count;
    if (seen >= total * share) return secondsOf(latencyClass);
  }
  return null;
}
