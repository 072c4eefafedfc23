import { z } from 'zod';
import {
  type LatencyRow,
  percentile,
  type Statistics,
  type StatisticsQuery,
  type StatisticsRow,
  statisticsIntervals,
} from '#database';
import { channelIds, failedReasons, suppressedReasons } from '#domain';
import { time } from '../http/schemas.js';

const INTERVAL_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
/** Points of one answer. */
const MAX_POINTS = 400;
/** Minutes are kept for a day, and a worker may be two hours behind. */
const MINUTES_KEPT_MS = 24 * INTERVAL_MS.hour;

export const statisticsQuery = z
  .strictObject({
    from: time.optional().meta({ description: `Default: a day before \`to\`; ${MAX_POINTS} minutes with \`minute\`` }),
    to: time.optional().meta({ description: 'Exclusive. Default: now' }),
    interval: z
      .enum(statisticsIntervals)
      .default('hour')
      .meta({
        description: `At most ${MAX_POINTS} intervals from \`from\` to \`to\`; minutes only of the last day. In UTC`,
      }),
  })
  .transform((query): StatisticsQuery => {
    const to = query.to === undefined ? new Date() : new Date(query.to);
    const longest = Math.min(INTERVAL_MS.day, MAX_POINTS * INTERVAL_MS[query.interval]);
    const from = query.from === undefined ? new Date(to.getTime() - longest) : new Date(query.from);
    return { from, to, interval: query.interval };
  })
  .superRefine(({ from, to, interval }, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message, params: { code: 'out_of_range' } });
    if (from >= to) issue('from', 'must be before `to`');
    else if (to.getTime() - from.getTime() > MAX_POINTS * INTERVAL_MS[interval])
      issue('from', `must be at most ${MAX_POINTS} intervals of one ${interval} before \`to\``);
    else if (interval === 'minute' && from.getTime() < Date.now() - MINUTES_KEPT_MS - INTERVAL_MS.minute)
      issue('from', 'must be within the last 24 hours for minutes');
  });

const count = z.int();

const figures = {
  accepted: count,
  waiting: count.meta({ description: 'Not final yet' }),
  sent: count.meta({ description: 'Sent, with those that were delivered or bounced later' }),
  delivered: count.meta({ description: 'A receipt reported the delivery' }),
  bounced: count,
  failed: count,
  unknown: count,
  suppressed: count,
  expired: count,
  cancelled: count,
};

const point = z.object({
  at: time.meta({ description: 'The beginning of the interval' }),
  ...figures,
  failed_by_reason: z.partialRecord(z.enum(failedReasons), count),
  suppressed_by_reason: z.partialRecord(z.enum(suppressedReasons), count),
  by_channel: z.partialRecord(z.enum(channelIds), z.object(figures)),
  latency: z
    .object({ p50_seconds: z.number(), p95_seconds: z.number() })
    .nullable()
    .meta({ description: 'From accept to send, to about a fifth; null if nothing was sent' }),
});

export const statisticsView = z
  .object({
    counted_until: time.nullable().meta({
      description: 'Later deliveries are not counted yet; null if no worker has counted',
    }),
    data: z.array(point).meta({
      description: 'Deliveries that were accepted in an interval, and what became of them. Without empty intervals',
    }),
  })
  .meta({ id: 'Statistics' });

type Figures = Record<keyof typeof figures, number>;
type Point = z.infer<typeof point>;

const NO_FIGURES: Figures = {
  accepted: 0,
  waiting: 0,
  sent: 0,
  delivered: 0,
  bounced: 0,
  failed: 0,
  unknown: 0,
  suppressed: 0,
  expired: 0,
  cancelled: 0,
};

export function toStatisticsView({ rows, latencies, countedUntil }: Statistics): z.infer<typeof statisticsView> {
  const byTime = Map.groupBy(rows, ({ at }) => at.getTime());
  const latenciesByTime = Map.groupBy(latencies, ({ at }) => at.getTime());
  return {
    counted_until: countedUntil?.toISOString() ?? null,
    data: [...byTime].map(([at, rowsOfTime]) => toPoint(new Date(at), rowsOfTime, latenciesByTime.get(at) ?? [])),
  };
}

function toPoint(at: Date, rows: readonly StatisticsRow[], latencyRows: readonly LatencyRow[]): Point {
  const byChannel = Map.groupBy(rows, ({ channel }) => channel);
  const latencies = new Map(latencyRows.map(({ latency, count: rowCount }) => [latency, rowCount]));
  const [p50, p95] = [percentile(latencies, 0.5), percentile(latencies, 0.95)];
  return {
    at: at.toISOString(),
    ...figuresOf(rows),
    failed_by_reason: byReason(rows, 'failed'),
    suppressed_by_reason: byReason(rows, 'suppressed'),
    by_channel: Object.fromEntries([...byChannel].map(([channel, ofChannel]) => [channel, figuresOf(ofChannel)])),
    latency: p50 === null || p95 === null ? null : { p50_seconds: p50, p95_seconds: p95 },
  };
}

function figuresOf(rows: readonly StatisticsRow[]): Figures {
  const sums = { ...NO_FIGURES };
  for (const { state, count: rowCount } of rows) {
    sums.accepted += rowCount;
    if (state === 'delivered' || state === 'bounced') sums.sent += rowCount;
    // The state of a delivery that a worker has claimed is stored as waiting.
    if (state !== 'sending') sums[state] += rowCount;
  }
  return sums;
}

function byReason(rows: readonly StatisticsRow[], state: StatisticsRow['state']): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const row of rows)
    if (row.state === state && row.reason !== '') sums[row.reason] = (sums[row.reason] ?? 0) + row.count;
  return sums;
}
