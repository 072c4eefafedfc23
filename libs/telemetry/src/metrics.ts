import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Attributes, type Counter, type Histogram, metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { AggregationType, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics';

let exporter: PrometheusExporter | undefined;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Starts metrics for this process, once; the all-in-one has one set for both its apps. */
export function startMetrics(): void {
  if (exporter) return;
  exporter = new PrometheusExporter({ preventServerStart: true });
  metrics.setGlobalMeterProvider(
    new MeterProvider({
      readers: [exporter],
      views: [
        {
          instrumentName: '*_seconds',
          // Gauges in seconds stay gauges.
          instrumentType: InstrumentType.HISTOGRAM,
          aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: SECONDS } },
        },
      ],
    }),
  );
}

/** Answers a scrape in the Prometheus text format. */
export function answerMetrics(request: IncomingMessage, response: ServerResponse): void {
  if (exporter) exporter.getMetricsRequestHandler(request, response);
  else response.writeHead(404).end();
}

/**
 * Every metric of Carillon. Labels are words with few values (channel, state, reason, provider), never ids of tenants or
 * recipients.
 */
class Instruments {
  private readonly meter = metrics.getMeter('carillon');
  readonly requests = this.histogram(
    'carillon_http_request_seconds',
    'Time to answer an HTTP request, by route and status',
  );
  readonly accepted = this.counter('carillon_notifications_accepted', 'Notifications committed');
  readonly claimed = this.counter('carillon_deliveries_claimed', 'Deliveries claimed by this worker, by channel');
  readonly outcomes = this.counter(
    'carillon_deliveries_outcomes',
    'Ends of pipeline runs, by channel, outcome and reason',
  );
  readonly attempts = this.histogram(
    'carillon_attempt_seconds',
    'Time a provider took to answer, by provider and outcome',
  );
  readonly steps = this.histogram('carillon_pipeline_step_seconds', 'Time of each pipeline step, by step');
  readonly unknown = this.counter(
    'carillon_unknown_outcomes',
    'Attempts without a known outcome, by channel and policy',
  );
  readonly fenced = this.counter('carillon_claims_lost', 'Runs that found their claim taken or cancelled');
  readonly unrecorded = this.counter(
    'carillon_outcomes_unrecorded',
    'Sends whose outcome could not be recorded, by channel; after three in a row the delivery is quarantined',
  );
  readonly spoolAside = this.counter(
    'carillon_spool_unreadable',
    'Files of the spool that could not be recorded and were put aside',
  );
  readonly returned = this.counter(
    'carillon_claims_returned',
    'Claims given back without an attempt, by channel and reason: stopping, outage, master_key',
  );
  readonly spooled = this.counter(
    'carillon_outcomes_spooled',
    'Outcomes written to the local spool because the database was away',
  );
  readonly receipts = this.counter(
    'carillon_receipts',
    'What vendors reported of deliveries, by provider, kind and what came of it',
  );
  readonly breakers = this.counter(
    'carillon_breaker_changes',
    'Changes of the breakers of provider accounts, by provider and new state',
  );
  readonly events = this.counter('carillon_events_published', 'Events carried away, by where to');
  readonly pruned = this.counter('carillon_rows_pruned', 'Rows deleted because their time had passed, by table');
  readonly housekeepingFailures = this.counter(
    'carillon_housekeeping_failures',
    'Housekeeping tasks that failed, by task',
  );
  readonly eventsSetAside = this.counter(
    'carillon_events_set_aside',
    'Events that could not be queued for a webhook endpoint; replay `missing` once the cause is fixed',
  );
  readonly renders = this.counter(
    'carillon_renders',
    'Templates checked or rendered, by app and how: inline, thread, time_out, busy',
  );
  readonly frames = this.counter('carillon_inbox_frames', 'Frames sent to inbox streams, by type');

  /** A figure read when it is scraped. */
  gauge(
    name: string,
    description: string,
    read: () => number | Promise<{ value: number; attributes: Attributes }[]>,
  ): void {
    this.meter.createObservableGauge(name, { description }).addCallback(async (result) => {
      const found = await read();
      if (typeof found === 'number') result.observe(found);
      else for (const { value, attributes } of found) result.observe(value, attributes);
    });
  }

  /** The same figure from the API and the worker: an API may run alone. */
  partitionHorizon(readDays: () => Promise<number>): void {
    this.gauge(
      'carillon_partition_horizon_days',
      'Days for which weekly partitions are made; below 7 something keeps workers from making them, at 0 sends are refused',
      async () => [{ value: await readDays(), attributes: {} }],
    );
  }

  /** Dead rows cannot be removed while an older transaction is open, so tables and indexes grow. */
  oldestTransaction(readSeconds: () => Promise<number>): void {
    this.gauge(
      'carillon_oldest_transaction_seconds',
      'Age of the oldest open transaction of the database, which keeps deleted rows from being removed; alarm above 600',
      async () => [{ value: await readSeconds(), attributes: {} }],
    );
  }

  private counter(name: string, description: string): Counter {
    return this.meter.createCounter(name, { description });
  }

  private histogram(name: string, description: string): Histogram {
    return this.meter.createHistogram(name, { description, unit: 's' });
  }
}

let created: Instruments | undefined;

/** The instruments; made at first use, after {@link startMetrics}. */
export function instruments(): Instruments {
  created ??= new Instruments();
  return created;
}
