// Reads a dashboard of Grafana and the data of its panels from Prometheus.

import { readFileSync } from 'node:fs';

/** What the pictures show, in seconds since 1970. */
export interface Period {
  start: number;
  end: number;
  /** The time between two scrapes. */
  step: number;
}

export interface Series {
  name: string;
  /** Null where there is no value. */
  points: (readonly [seconds: number, value: number | null])[];
}

export interface DrawnPanel {
  type: 'row' | 'stat' | 'timeseries';
  title: string;
  unit: string;
  /** The end of the axis, if it does not depend on the values. */
  max: number | undefined;
  position: { x: number; y: number; w: number; h: number };
  series: Series[];
}

export interface DrawnDashboard {
  title: string;
  description: string;
  panels: DrawnPanel[];
}

interface Source {
  /** Of Prometheus. */
  url: string;
  period: Period;
}

interface GrafanaPanel {
  type: DrawnPanel['type'];
  title: string;
  gridPos: DrawnPanel['position'];
  fieldConfig?: { defaults: { unit: string; max?: number } };
  targets?: { expr: string; legendFormat: string }[];
}

interface QueryAnswer {
  status: string;
  error?: string;
  data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
}

export async function readDashboard(file: string, source: Source): Promise<DrawnDashboard> {
  const { title, description, panels } = JSON.parse(readFileSync(file, 'utf8')) as {
    title: string;
    description: string;
    panels: GrafanaPanel[];
  };
  return { title, description, panels: await Promise.all(panels.map((panel) => readPanel(panel, source))) };
}

async function readPanel(panel: GrafanaPanel, source: Source): Promise<DrawnPanel> {
  const targets = panel.targets ?? [];
  const series = await Promise.all(
    targets.map(async ({ expr, legendFormat }) =>
      (await queryRange(expr, source)).map(({ metric, values }) => ({
        name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_all, label: string) => metric[label] ?? '').trim(),
        points: withGaps(values, source.period),
      })),
    ),
  );
  return {
    type: panel.type,
    title: panel.title,
    unit: panel.fieldConfig?.defaults.unit ?? 'short',
    max: panel.fieldConfig?.defaults.max,
    position: panel.gridPos,
    series: series.flat().filter(({ points }) => points.some(([, value]) => value !== null)),
  };
}

/** With the variables that Grafana would replace: the interval of rates, the range, and "All" for chosen labels. */
async function queryRange(expr: string, { url, period }: Source): Promise<QueryAnswer['data']['result']> {
  const { start, end, step } = period;
  const query = expr
    // Grafana: at least four times the scrape interval.
    .replaceAll('$__rate_interval', `${4 * step}s`)
    .replaceAll('$__range', `${end - start}s`)
    .replaceAll(/\$\w+/g, '.*');
  const parameters = { query, start: String(start), end: String(end), step: String(step) };
  const answer = await fetch(`${url}/api/v1/query_range?${new URLSearchParams(parameters)}`);
  const { status, error, data } = (await answer.json()) as QueryAnswer;
  if (status !== 'success') throw new Error(`${query}: ${error}`);
  return data.result;
}

/** One point for each step. Prometheus leaves out steps without a value; the rate of nothing is not a number. */
function withGaps(values: readonly [number, string][], { start, end, step }: Period): Series['points'] {
  const known = new Map(values.map(([seconds, value]) => [seconds, Number(value)]));
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => {
    const seconds = start + index * step;
    const value = known.get(seconds);
    return [seconds, value !== undefined && Number.isFinite(value) ? value : null] as const;
  });
}
