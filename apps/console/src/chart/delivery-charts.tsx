import { Group, SegmentedControl, SimpleGrid, Stack, Text } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import type { Statistics } from '#client';
import { type Figure, Figures } from '../page/figures';
import { Loaded } from '../page/page';
import { inWords } from '../page/state-badge';
import { wholeTime } from '../page/time';
import { intervalsOf, isRange, type queryOf, RANGES, type Range } from './ranges';
import type { Series } from './series';
import { TimeChart } from './time-chart';

type Point = Statistics['data'][number];
export interface Period {
  query: ReturnType<typeof queryOf>;
  statistics: Statistics;
}

const DEFAULT: Range = '24h';
/** Of the reasons of failures; the others are one line. */
const MOST_REASONS = 4;

/** The range of the charts is in the address, so that it can be linked to. */
export function useRange(): [Range, (range: Range) => void] {
  const [parameters, setParameters] = useSearchParams();
  const wanted = parameters.get('range');
  const range = isRange(wanted) ? wanted : DEFAULT;
  const change = (chosen: Range) => {
    const next = new URLSearchParams(parameters);
    next.set('range', chosen);
    setParameters(next, { replace: true });
  };
  return [range, change];
}

interface DeliveryChartsProps {
  period: UseQueryResult<Period>;
  /** Of the list of deliveries with a state, below the scope. */
  listOf?: (state: string) => string;
}

/** The deliveries that were accepted in a time, by outcome. */
export function DeliveryCharts({ period, listOf }: DeliveryChartsProps) {
  const [range, setRange] = useRange();
  return (
    <Stack gap="md">
      <Group justify="space-between">
        <SegmentedControl
          aria-label="Time shown"
          size="xs"
          data={Object.entries(RANGES).map(([value, { label }]) => ({ value, label }))}
          value={range}
          onChange={(chosen) => setRange(chosen as Range)}
        />
      </Group>
      <Loaded query={period}>{(found) => <Charts {...found} {...(listOf && { listOf })} />}</Loaded>
    </Stack>
  );
}

function Charts({ query, statistics, listOf }: Period & Pick<DeliveryChartsProps, 'listOf'>) {
  const times = intervalsOf(query);
  const byTime = new Map(statistics.data.map((point) => [Date.parse(point.at), point]));
  const points = times.map((at) => byTime.get(Date.parse(at)));
  const line = (label: string, value: (point: Point) => number | null, none: number | null = 0): Series => ({
    label,
    values: points.map((point) => (point ? value(point) : none)),
  });
  return (
    <Stack gap="md">
      <Figures name="Deliveries accepted in this time" figures={totalsOf(statistics, listOf)} />
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
        <TimeChart
          title="Deliveries"
          times={times}
          unit="count"
          series={[
            line('Accepted', ({ accepted }) => accepted),
            line('Sent', ({ sent }) => sent),
            line('Delivered', ({ delivered }) => delivered),
          ]}
        />
        <TimeChart
          title="Not sent, by reason"
          times={times}
          unit="count"
          series={failureReasons(statistics).map(({ label, count }) => line(label, count))}
        />
        <TimeChart
          title="Time from accept to send"
          times={times}
          unit="ms"
          series={[
            line('Half of them, within', ({ latency }) => latency && latency.p50_seconds * 1_000, null),
            line('95 %, within', ({ latency }) => latency && latency.p95_seconds * 1_000, null),
          ]}
        />
      </SimpleGrid>
      <Text size="xs" c="dimmed">
        {statistics.counted_until === null
          ? 'No worker has counted yet.'
          : `Counted until ${wholeTime(statistics.counted_until)}. A delivery counts when it was accepted.`}
      </Text>
    </Stack>
  );
}

function totalsOf({ data }: Statistics, listOf?: (state: string) => string): Figure[] {
  const sum = (value: (point: Point) => number) => data.reduce((total, point) => total + value(point), 0);
  const figure = (label: string, value: number, states?: string): Figure => ({
    label,
    value: value.toLocaleString(),
    ...(states && listOf && { to: listOf(states) }),
  });
  const failed = sum((point) => point.failed + point.bounced + point.unknown);
  return [
    figure(
      'Accepted',
      sum(({ accepted }) => accepted),
    ),
    figure(
      'Sent',
      sum(({ sent }) => sent),
    ),
    figure(
      'Delivered',
      sum(({ delivered }) => delivered),
      'delivered',
    ),
    { ...figure('Failed, bounced or unknown', failed, 'failed,bounced,unknown'), isBad: failed > 0 },
    figure(
      'Suppressed or expired',
      sum((point) => point.suppressed + point.expired),
      'suppressed,expired',
    ),
    figure(
      'Waiting',
      sum(({ waiting }) => waiting),
      'waiting',
    ),
  ];
}

interface FailureReason {
  label: string;
  count: (point: Point) => number;
}

/** The most frequent reasons of failures and suppressions, each a line, and one line for the others. */
function failureReasons({ data }: Statistics): FailureReason[] {
  const totals = new Map<string, number>();
  const ofPoint = (point: Point): Record<string, number> => ({
    ...point.failed_by_reason,
    ...point.suppressed_by_reason,
    ...(point.bounced > 0 && { bounced: point.bounced }),
  });
  for (const point of data)
    for (const [reason, count] of Object.entries(ofPoint(point))) totals.set(reason, (totals.get(reason) ?? 0) + count);
  const reasons = [...totals].sort(([, one], [, other]) => other - one).map(([reason]) => reason);
  const first = reasons.slice(0, MOST_REASONS);
  const rest = reasons.slice(MOST_REASONS);
  const countOf = (point: Point, reason: string) => ofPoint(point)[reason] ?? 0;
  const lines = first.map((reason) => ({
    label: inWords(reason),
    count: (point: Point) => countOf(point, reason),
  }));
  if (rest.length === 0) return lines.length > 0 ? lines : [{ label: 'none', count: () => 0 }];
  const others = (point: Point) => rest.reduce((total, reason) => total + countOf(point, reason), 0);
  return [...lines, { label: 'others', count: others }];
}
