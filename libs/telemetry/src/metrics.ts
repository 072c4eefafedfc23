import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Attributes, type Meter, metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { AggregationTemporality, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics';
import { gauges } from './gauge-list.js';
import { counters, histograms, type MetricDefinition, tenantCounters } from './metric-list.js';
import { TenantCounter } from './tenant-counter.js';

/**
 * Leaves out the series of a gauge that a scrape has not observed. With cumulative temporality the SDK would repeat the
 * last value of every series for as long as the process lives: a breaker that was open once would stay open.
 */
export class CurrentSeriesExporter extends PrometheusExporter {
  override selectAggregationTemporality(type: InstrumentType): AggregationTemporality {
    return type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
  }
}

let exporter: PrometheusExporter | undefined;
let tenantSeries = 20;

/**
 * Starts the metrics of this process. Later calls do nothing: `npm start` has one set for both apps. `tenants`: the
 * number of tenants with series of their own.
 */
export function startMetrics({ tenants }: { tenants: number }): void {
  if (exporter) return;
  tenantSeries = tenants;
  exporter = new CurrentSeriesExporter({ preventServerStart: true });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
}

/** Serves the metrics in the Prometheus text format. */
export function answerMetrics(request: IncomingMessage, response: ServerResponse): void {
  if (exporter) exporter.getMetricsRequestHandler(request, response);
  else response.writeHead(404).end();
}

type LabelValues<Metric extends MetricDefinition> = Readonly<Record<Metric['labels'][number], string | number>>;
/** The labels of a metric as parameters: none for a metric without labels. */
type LabelParameters<Metric extends MetricDefinition> = Metric['labels'] extends readonly []
  ? []
  : [labels: LabelValues<Metric>];

interface Counter<Metric extends MetricDefinition> {
  add(value: number, ...labels: LabelParameters<Metric>): void;
}

interface Histogram<Metric extends MetricDefinition> {
  record(seconds: number, ...labels: LabelParameters<Metric>): void;
}

type Counters = { readonly [Name in keyof typeof counters]: Counter<(typeof counters)[Name]> };
type Histograms = { readonly [Name in keyof typeof histograms]: Histogram<(typeof histograms)[Name]> };
type Gauge<Name extends keyof typeof gauges> = (typeof gauges)[Name];

export interface Observation<Metric extends MetricDefinition = MetricDefinition> {
  value: number;
  labels: LabelValues<Metric>;
}

/** The instruments of the lists of metrics. */
export interface Instruments extends Counters, Histograms {
  readonly tenants: { readonly [Name in keyof typeof tenantCounters]: TenantCounter };
  /** The number of tenants with series of their own. */
  readonly tenantSeries: number;
  /** Calls `read` at each scrape. A gauge whose `read` fails is missing in that scrape. */
  gauge<Name extends keyof typeof gauges>(
    name: Name,
    read: () => number | Promise<number | readonly Observation<Gauge<Name>>[]>,
  ): void;
}

let created: Instruments | undefined;

/** Creates the instruments at the first call, which must come after {@link startMetrics}. */
export function instruments(): Instruments {
  created ??= makeInstruments(metrics.getMeter('carillon'), tenantSeries);
  return created;
}

export function makeInstruments(meter: Meter, tenants: number): Instruments {
  const made = {
    ...mapValues(counters, ({ name, help, labels }) => {
      const counter = meter.createCounter(name, { description: help });
      // Prometheus sees the first increase of a counter only if it has read 0 before.
      if (labels.length === 0) counter.add(0);
      return counter;
    }),
    ...mapValues(histograms, ({ name, help, buckets }) =>
      meter.createHistogram(name, {
        description: help,
        unit: 's',
        advice: { explicitBucketBoundaries: [...buckets] },
      }),
    ),
    tenants: mapValues(tenantCounters, ({ name, help }) => {
      const counter = new TenantCounter(tenants);
      // A gauge, so that a tenant that is no longer among the busiest loses its series. `rate` takes it for a counter.
      meter.createObservableGauge(`${name}_total`, { description: help }).addCallback((result) => {
        for (const { value, labels } of counter.read()) result.observe(value, labels);
      });
      return counter;
    }),
    tenantSeries: tenants,
    gauge: (
      name: keyof typeof gauges,
      read: () => number | Promise<number | readonly { value: number; labels: Attributes }[]>,
    ): void => {
      const { name: fullName, help } = gauges[name];
      meter.createObservableGauge(fullName, { description: help }).addCallback(async (result) => {
        const values = await read();
        if (typeof values === 'number') result.observe(values);
        else for (const { value, labels } of values) result.observe(value, labels);
      });
    },
  };
  observeEventLoop(made);
  // The names and labels of an instrument are those of its list, which the compiler cannot follow through a map.
  return made as unknown as Instruments;
}

function mapValues<Key extends string, Value, Result>(
  record: Readonly<Record<Key, Value>>,
  make: (value: Value) => Result,
): Record<Key, Result> {
  const entries = Object.entries<Value>(record).map(([key, value]) => [key, make(value)]);
  return Object.fromEntries(entries) as Record<Key, Result>;
}

function observeEventLoop({ gauge }: { gauge: (name: 'eventLoop', read: () => number) => void }): void {
  let last = performance.eventLoopUtilization();
  gauge('eventLoop', () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  });
}
