import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { describe, expect, it, vi } from 'vitest';
import { CurrentSeriesExporter, makeInstruments } from './metrics.js';
import { TenantCounter } from './tenant-counter.js';

function makeReader() {
  const exporter = new CurrentSeriesExporter({ preventServerStart: true });
  const meter = new MeterProvider({ readers: [exporter] }).getMeter('test');
  const read = async (): Promise<string> =>
    new PrometheusSerializer().serialize((await exporter.collect()).resourceMetrics);
  return { meter, read };
}

describe('the metrics of 10,000 tenants', () => {
  it('have a bounded number of series', async () => {
    const { meter, read } = makeReader();
    const { tenants, outcomes, endToEnd } = makeInstruments(meter, 20);
    const states = ['sent', 'failed', 'waiting', 'suppressed'];
    for (let tenant = 0; tenant < 10_000; tenant += 1) {
      tenants.accepted.add(1, `tenant-${tenant}`);
      for (const state of states) {
        tenants.deliveries.add(1, `tenant-${tenant}`, { state });
        outcomes.add(1, { channel: 'email', provider: 'smtp', state, outcome: state, reason: '' });
        endToEnd.record(1, { channel: 'email', waited_for: 'none' });
      }
    }
    const lines = (await read()).split('\n').filter((line) => line.startsWith('carillon_'));
    expect(lines.filter((line) => line.startsWith('carillon_tenant_deliveries_total'))).toHaveLength(21 * 4);
    expect(lines.filter((line) => line.startsWith('carillon_tenant_notifications_total'))).toHaveLength(21);
    expect(lines.length).toBeLessThan(150);
    const sum = lines
      .filter((line) => line.startsWith('carillon_tenant_deliveries_total'))
      .reduce((total, line) => total + Number(line.split(' ')[1]), 0);
    expect(sum).toBe(40_000);
  });

  it('have no series of a tenant if the setting is 0', async () => {
    const { meter, read } = makeReader();
    makeInstruments(meter, 0).tenants.accepted.add(3, 'tenant-1');
    expect(await read()).toContain('carillon_tenant_notifications_total{tenant="other"');
    expect(await read()).not.toContain('tenant-1');
  });
});

describe('a series that is no longer observed', () => {
  it('of a gauge is gone at the next scrape', async () => {
    const { meter, read } = makeReader();
    const { gauge } = makeInstruments(meter, 0);
    let state = 'open';
    gauge('accounts', async () => [{ value: 1, labels: { provider: 'smtp', state } }]);
    expect(await read()).toMatch(/^carillon_provider_accounts\{provider="smtp",state="open".* 1$/m);
    state = 'closed';
    const later = await read();
    expect(later).toMatch(/^carillon_provider_accounts\{provider="smtp",state="closed".* 1$/m);
    expect(later).not.toContain('state="open"');
  });

  it('of a gauge whose read fails is missing, and back once it works', async () => {
    const { meter, read } = makeReader();
    const { gauge } = makeInstruments(meter, 0);
    let isAway = false;
    gauge('deadLetters', async () => {
      if (isAway) throw new Error('the database is away');
      return [{ value: 3, labels: {} }];
    });
    expect(await read()).toMatch(/^carillon_dead_letters\b.* 3$/m);
    isAway = true;
    expect(await read()).not.toMatch(/^carillon_dead_letters\b/m);
    isAway = false;
    expect(await read()).toMatch(/^carillon_dead_letters\b.* 3$/m);
  });

  it('of a tenant that is no longer among the busiest is gone', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { meter, read } = makeReader();
      const { tenants } = makeInstruments(meter, 2);
      for (let turn = 0; turn < 5; turn += 1) {
        for (let place = 0; place < 3; place += 1) tenants.accepted.add(10 ** turn, `tenant-${turn}-${place}`);
        await read();
        vi.advanceTimersByTime(60_000);
        await read();
        for (let place = 0; place < 3; place += 1) tenants.accepted.add(1, `tenant-${turn}-${place}`);
      }
      const own = (await read()).match(/^carillon_tenant_notifications_total\{tenant="tenant-\d-\d"/gm) ?? [];
      expect(own.length).toBeGreaterThan(0);
      expect(own.length).toBeLessThanOrEqual(2);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a tenant counter', () => {
  const valuesOf = (counter: TenantCounter) =>
    Object.fromEntries(counter.read().map(({ value, labels }) => [labels.tenant, value]));

  it('gives its series to the tenants that have become the busiest', () => {
    let now = 0;
    const counter = new TenantCounter(2, () => now);
    for (const tenant of ['first', 'second']) counter.add(1, tenant);
    counter.add(100, 'busy');
    expect(valuesOf(counter)).toEqual({ first: 1, second: 1, other: 100 });
    now = 60_000;
    expect(valuesOf(counter)).toMatchObject({ other: 100 });
    counter.add(5, 'busy');
    counter.add(7, 'second');
    const values = valuesOf(counter);
    expect(values).toMatchObject({ busy: 5 });
    expect(Object.keys(values)).toHaveLength(3);
  });

  it('never decreases a series', () => {
    let now = 0;
    const counter = new TenantCounter(3, () => now);
    let before: Record<string, number> = {};
    for (let turn = 0; turn < 500; turn += 1) {
      counter.add(1 + (turn % 7), `tenant-${(turn * turn) % 11}`);
      now += 10_000;
      const after = valuesOf(counter);
      expect(after.other ?? 0).toBeGreaterThanOrEqual(before.other ?? 0);
      expect(Object.keys(after).length).toBeLessThanOrEqual(4);
      before = after;
    }
  });
});
