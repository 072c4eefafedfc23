// The list of metrics: its names, its labels, and docs/metrics.md.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { counters, gauges, histograms, type MetricDefinition, tenantCounters } from '#telemetry';

const DOCS = readFileSync(join(import.meta.dirname, '../docs/metrics.md'), 'utf8');

const listed: [string, MetricDefinition][] = [
  ...Object.values({ ...counters, ...tenantCounters }).map((metric): [string, MetricDefinition] => ['counter', metric]),
  ...Object.values(histograms).map((metric): [string, MetricDefinition] => ['histogram', metric]),
  ...Object.values(gauges).map((metric): [string, MetricDefinition] => ['gauge', metric]),
];

/** Prometheus reads counters under this name. */
const exportedName = (kind: string, name: string): string => (kind === 'counter' ? `${name}_total` : name);

describe('every metric', () => {
  it('has a row in docs/metrics.md, with its kind, its labels and its description', () => {
    const rows = listed.map(([kind, { name, help, labels }]) => {
      const names = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${exportedName(kind, name)}\` | ${kind} | ${names} | ${help} |`;
    });
    const documented = DOCS.split('\n').filter((line) => line.startsWith('| `carillon_'));
    expect(documented.sort()).toEqual(rows.sort());
  });

  it('has a name of its own that ends with its unit', () => {
    const names = listed.map(([, { name }]) => name);
    expect(
      names.filter((name) => !/^carillon_[a-z][a-z0-9_]*[a-z0-9]$/.test(name) || /_(total|ms|count)$/.test(name)),
    ).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
    const durations = Object.values(histograms).map(({ name }) => name);
    expect(durations.filter((name) => !name.endsWith('_seconds'))).toEqual([]);
  });

  it('has labels of the list of labels, none of which holds ids or addresses', () => {
    const labels = new Set(listed.flatMap(([, metric]) => metric.labels));
    expect([...labels].sort()).toEqual([
      'app',
      'channel',
      'how',
      'intake',
      'kind',
      'method',
      'outcome',
      'percent',
      'period',
      'policy',
      'pool',
      'provider',
      'reason',
      'result',
      'role',
      'route', // the pattern, not the path
      'state',
      'status',
      'step',
      'store',
      'table',
      'task',
      'tenant', // of the busiest tenants only
      'to',
      'type',
      'waited_for',
    ]);
    expect(listed.filter(([, metric]) => metric.labels.includes('tenant')).map(([, { name }]) => name)).toEqual([
      'carillon_tenant_notifications',
      'carillon_tenant_deliveries',
      'carillon_tenant_due',
    ]);
  });
});
