import { Button, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { lazy, Suspense, useState } from 'react';
import { COLOURS, inUnit, type Series, shortTime, summaryOf, type Unit } from './series';
import { SeriesTable } from './series-table';

const Plot = lazy(() => import('./plot'));

const HEIGHT = 200;

interface TimeChartProps {
  title: string;
  /** The starts of the intervals in RFC 3339. */
  times: readonly string[];
  series: readonly Series[];
  unit: Unit;
}

/** Values over time. The same values are in a table for those who do not see the lines, and in one sentence. */
export function TimeChart({ title, times, series, unit }: TimeChartProps) {
  const [isTable, { toggle }] = useDisclosure(false);
  const [pointed, point] = useState<number | null>(null);
  const summary = summaryOf(times, series, unit);
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap">
          <Title order={2} size="h6">
            {title}
          </Title>
          <Button size="compact-xs" variant="subtle" aria-pressed={isTable} onClick={toggle}>
            {isTable ? 'Show as chart' : 'Show as table'}
          </Button>
        </Group>
        {isTable ? (
          <SeriesTable title={title} times={times} series={series} unit={unit} />
        ) : (
          <Suspense fallback={<Skeleton h={HEIGHT} />}>
            <Plot
              times={times}
              series={series}
              unit={unit}
              height={HEIGHT}
              summary={`${title}. ${summary}`}
              point={point}
            />
          </Suspense>
        )}
        <Legend series={series} unit={unit} />
        <Text size="xs" c="dimmed">
          {pointed === null ? summary : valuesAt(pointed, times, series, unit)}
        </Text>
      </Stack>
    </Paper>
  );
}

function Legend({ series, unit }: { series: readonly Series[]; unit: Unit }) {
  return (
    <Group gap="md" role="list" aria-label="Lines">
      {series.map(({ label, values }, index) => {
        const { line, dash } = COLOURS[index % COLOURS.length]!;
        const last = values.findLast((value) => value !== null);
        return (
          <Group key={label} gap={6} role="listitem">
            <svg width="22" height="6" aria-hidden>
              <line x1="0" x2="22" y1="3" y2="3" stroke={line} strokeWidth="3" strokeDasharray={dash.join(' ')} />
            </svg>
            <Text size="xs">
              {label}
              {unit === 'count' ? ` ${inUnit(sum(values), unit)}` : last !== undefined ? ` ${inUnit(last!, unit)}` : ''}
            </Text>
          </Group>
        );
      })}
    </Group>
  );
}

function valuesAt(index: number, times: readonly string[], series: readonly Series[], unit: Unit): string {
  const values = series.map(({ label, values }) => {
    const value = values[index] ?? null;
    return `${label} ${value === null ? '–' : inUnit(value, unit)}`;
  });
  return `${shortTime(times[index]!)}: ${values.join(', ')}`;
}

function sum(values: readonly (number | null)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}
