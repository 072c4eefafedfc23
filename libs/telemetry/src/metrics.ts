import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Attributes, type Counter, type Histogram, metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { AggregationType, InstrumentType, MeterProvider } from '@opentelemetry/sdk-metrics';

let exporter: PrometheusExporter | undefined;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Starts the metrics of this process. Later calls do nothing: `npm start` has one set for both apps. */
export function startMetrics(): void {
  if (exporter) return;
  exporter = new PrometheusExporter({ preventServerStart: true });
  metrics.setGlobalMeterProvider(
    new MeterProvider({
      readers: [exporter],
      views: [
        {
          instrumentName: '*_seconds',
          // Without this, gauges in seconds would become histograms too.
          instrumentType: InstrumentType.HISTOGRAM,
          aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: SECONDS } },
        },
      ],
    }),
  );
}

/** Serves the metrics in the Prometheus text format. */
export function answerMetrics(request: IncomingMessage, response: ServerResponse): void {
  if (exporter) exporter.getMetricsRequestHandler(request, response);
  else response.writeHead(404).end();
}

/**
 * Every metric of Carillon. Labels have few values (channel, state, reason, provider); they never are ids of tenants or
 * recipients.
 */
class Instruments {
  private readonly meter = metrics.getMeter('carillon');
  readonly requests = this.histogram(
    'carillon_http_request_seconds',
    'Time to answer an HTTP request, by route and status',
  );
  readonly operatorRefused = this.counter(
    'carillon_operator_requests_refused',
    'Operator requests without a valid token, by result: unauthenticated, rate_limited',
  );
  readonly claimed = this.counter('carillon_deliveries_claimed', 'Deliveries claimed by this worker, by channel');
  readonly outcomes = this.counter(
    'carillon_deliveries_outcomes',
    'Finished pipeline runs, by channel, outcome and reason',
  );
  readonly attempts = this.histogram(
    'carillon_attempt_seconds',
    'Response time of a provider, by provider and outcome',
  );
  readonly steps = this.histogram('carillon_pipeline_step_seconds', 'Time of each pipeline step, by step');
  readonly unknown = this.counter(
    'carillon_unknown_outcomes',
    'Attempts without a known outcome, by channel and policy',
  );
  readonly fenced = this.counter(
    'carillon_claims_lost',
    'Pipeline runs that stopped because their claim was lost or the delivery was cancelled',
  );
  readonly unrecorded = this.counter(
    'carillon_outcomes_unrecorded',
    'Sends whose outcome could not be recorded, by channel; three in a row quarantine the delivery',
  );
  readonly spoolAside = this.counter(
    'carillon_spool_unreadable',
    'Spool files that could not be recorded and were moved aside',
  );
  readonly returned = this.counter(
    'carillon_claims_returned',
    'Claims released without an attempt, by channel and reason: stopping, outage, master_key',
  );
  readonly spooled = this.counter(
    'carillon_outcomes_spooled',
    'Outcomes written to the local spool because the database was unavailable',
  );
  readonly receipts = this.counter('carillon_receipts', 'Receipts of vendors, by provider, kind and result');
  readonly breakers = this.counter(
    'carillon_breaker_changes',
    'State changes of the circuit breakers of provider accounts, by provider and new state',
  );
  readonly events = this.counter('carillon_events_published', 'Events published, by destination');
  readonly quotaWarnings = this.counter(
    'carillon_quota_warnings',
    'Quotas of tenants that reached 80 or 100 percent, by period (day, month) and percent',
  );
  readonly pruned = this.counter('carillon_rows_pruned', 'Rows deleted after their retention, by table');
  readonly housekeepingFailures = this.counter('carillon_housekeeping_failures', 'Failed housekeeping tasks, by task');
  readonly eventsSetAside = this.counter(
    'carillon_events_set_aside',
    'Events that could not be queued for a webhook endpoint; replay `missing` once the cause is fixed',
  );
  readonly schedules = this.counter(
    'carillon_schedule_occurrences',
    'Occurrences of schedules, by result: fired, failed, skipped',
  );
  readonly renders = this.counter(
    'carillon_renders',
    'Templates checked or rendered, by app and result: inline, thread, time_out, busy',
  );
  readonly frames = this.counter('carillon_inbox_frames', 'Frames sent to inbox streams, by type');

  /** Calls `read` at each scrape. */
  gauge(
    name: string,
    description: string,
    read: () => number | Promise<{ value: number; attributes: Attributes }[]>,
  ): void {
    this.meter.createObservableGauge(name, { description }).addCallback(async (result) => {
      const values = await read();
      if (typeof values === 'number') result.observe(values);
      else for (const { value, attributes } of values) result.observe(value, attributes);
    });
  }

  /** Observed by the API and the worker, because an API may run alone. */
  partitionHorizon(readDays: () => Promise<number>): void {
    this.gauge(
      'carillon_partition_horizon_days',
      'Days covered by weekly partitions; below 7 workers cannot create them, at 0 sends are rejected',
      async () => [{ value: await readDays(), attributes: {} }],
    );
  }

  /** An open transaction prevents vacuum from removing rows deleted after its start, so tables and indexes grow. */
  oldestTransaction(readSeconds: () => Promise<number>): void {
    this.gauge(
      'carillon_oldest_transaction_seconds',
      'Age of the oldest open transaction of the database, which prevents the removal of deleted rows; alert above 600',
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

/** Creates the instruments at the first call, which must come after {@link startMetrics}. */
export function instruments(): Instruments {
  created ??= new Instruments();
  return created;
}
