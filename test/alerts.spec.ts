// The alert rules: checked and tested by promtool, with a section in the runbook for each. The dashboards use metrics
// that exist.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { counters, gauges, histograms, tenantCounters } from '#telemetry';
import { EMPTY_WHEN_HEALTHY } from '../scripts/dashboards/dashboard.js';
import { dashboards } from '../scripts/dashboards/dashboards.js';
import { run } from '../services/programs.ts';
import { fetchPrometheus, type PrometheusPrograms } from '../services/prometheus.ts';

const ROOT = join(import.meta.dirname, '..');
const PROMETHEUS = join(ROOT, 'deployments/prometheus');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: { severity?: string };
  annotations?: { summary?: string; description?: string; runbook_url?: string };
}

const { groups } = parse(read('deployments/prometheus/alerts.yaml')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.alert !== undefined);
const names = alerts.map(({ alert }) => alert!);

/** All series names of the list of metrics. */
const series = new Set([
  ...Object.values({ ...counters, ...tenantCounters }).map(({ name }) => `${name}_total`),
  ...Object.values(histograms).flatMap(({ name }) => [`${name}_bucket`, `${name}_count`, `${name}_sum`]),
  ...Object.values(gauges).map(({ name }) => name as string),
]);
const unknownSeries = (expr: string): string[] =>
  [...expr.matchAll(/\bcarillon_\w+/g)].map(([name]) => name).filter((name) => !series.has(name));

describe('the alert rules', () => {
  let programs: PrometheusPrograms;

  beforeAll(async () => {
    programs = await fetchPrometheus(join(ROOT, '.services'));
  }, 120_000);

  it('are valid', async () => {
    expect(await run(programs.promtool, ['check', 'rules', 'alerts.yaml'], { cwd: PROMETHEUS })).toContain('SUCCESS');
  });

  it('pass their tests', async () => {
    const output = await run(programs.promtool, ['test', 'rules', 'alerts.test.yaml'], { cwd: PROMETHEUS });
    expect(output).toContain('SUCCESS');
  }, 60_000);

  it('have a test in which each fires and one in which it does not', () => {
    interface Test {
      name: string;
      promql_expr_test: { expr: string; exp_samples: unknown[] }[];
    }
    const { tests } = parse(read('deployments/prometheus/alerts.test.yaml')) as { tests: Test[] };
    const checked = tests.map(({ name, promql_expr_test: checks }) => {
      const subjects = new Set(checks.map(({ expr }) => /alertname="(\w+)"/.exec(expr)?.[1]));
      const fires = checks.some(({ exp_samples: expected }) => expected.length > 0);
      return [name, `${[...subjects].join()} ${fires ? 'fires' : 'does not fire'}`];
    });
    expect(checked.filter(([name, what]) => name !== what)).toEqual([]);
    expect(checked.map(([name]) => name).sort()).toEqual(
      names.flatMap((name) => [`${name} fires`, `${name} does not fire`]).sort(),
    );
  });

  it('have a severity, a summary, a description and a section of their own in the runbook', () => {
    const incomplete = alerts.filter(
      ({ labels, annotations }) =>
        !['page', 'ticket'].includes(labels?.severity ?? '') || !annotations?.summary || !annotations.description,
    );
    expect(incomplete).toEqual([]);
    for (const { alert, annotations } of alerts)
      expect(annotations?.runbook_url).toBe(
        `https://github.com/carillon-notify/carillon/blob/main/docs/runbook.md#${alert!.toLowerCase()}`,
      );
    const sections = read('docs/runbook.md').split(/^## /m).slice(1);
    expect(sections.map((section) => section.split('\n')[0])).toEqual(names);
    for (const section of sections)
      expect(section, 'means, check, do').toMatch(/\*\*Means\.\*\*.+\*\*Check\.\*\*.+\*\*Do\.\*\*/s);
  });

  it('use metrics that exist', () => {
    expect(rules.flatMap(({ expr }) => unknownSeries(expr))).toEqual([]);
    const recorded = new Set(rules.map(({ record }) => record));
    const used = rules.flatMap(({ expr }) => expr.match(/\bcarillon:[\w:]+/g) ?? []);
    expect(used.filter((name) => !recorded.has(name))).toEqual([]);
  });
});

describe('the dashboards', () => {
  const panels = Object.values(dashboards).flatMap(({ rows }) => rows.flatMap((row) => row.panels));
  const queries = panels.flatMap((panel) => panel.queries.map(({ expr }) => expr));

  it('are seven, and their JSON files have the queries of the code', () => {
    expect(Object.keys(dashboards)).toEqual(['overview', 'pipeline', 'providers', 'tenants', 'inbox', 'stores', 'slo']);
    for (const name of Object.keys(dashboards)) {
      const { panels: made } = JSON.parse(read(`deployments/grafana/dashboards/${name}.json`)) as {
        panels: { targets?: { expr: string }[] }[];
      };
      const expected = dashboards[name]!.rows.flatMap((row) => row.panels.flatMap((panel) => panel.queries));
      expect(made.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr)).toEqual(
        expected.map(({ expr }) => expr),
      );
    }
  });

  it('use metrics that exist', () => {
    const variables = Object.values(dashboards).flatMap(({ variables: named }) => Object.values(named ?? {}));
    expect([...queries, ...variables].flatMap(unknownSeries)).toEqual([]);
    expect(queries.filter((expr) => !/\bcarillon[_:]|\bALERTS\b/.test(expr))).toEqual([]);
  });

  it('show every metric that no alert uses', () => {
    const shown = new Set(
      [...queries, ...rules.map(({ expr }) => expr)].flatMap((expr) => expr.match(/\bcarillon_\w+/g) ?? []),
    );
    const isShown = (name: string): boolean => shown.has(name) || [...shown].some((one) => one.startsWith(`${name}_`));
    const all = Object.values({ ...counters, ...tenantCounters, ...histograms, ...gauges }).map(({ name }) => name);
    expect(all.filter((name) => !isShown(name))).toEqual([]);
  });

  it('say in each panel that is empty when all is well that it is', () => {
    const marked = panels.filter(({ isEmptyWhenHealthy }) => isEmptyWhenHealthy);
    const files = Object.keys(dashboards).map((name) => read(`deployments/grafana/dashboards/${name}.json`));
    expect(files.join('').split(EMPTY_WHEN_HEALTHY).length - 1).toBe(marked.length);
  });
});
