// Every metric of Carillon, by kind. docs/metrics.md shows the same list, and a test compares the two. The exporter
// adds `_total` to the names of counters.
//
// Labels have few values: channels, providers, states, reasons, routes. They never hold ids or addresses, with one
// exception: `tenant` is the id of one of the busiest tenants, or `other` (METRICS_TENANTS limits how many).

export interface MetricDefinition {
  readonly name: `carillon_${string}`;
  /** One sentence in plain English: what is counted, with the values of labels that are not obvious. */
  readonly help: string;
  readonly labels: readonly string[];
}

export interface HistogramDefinition extends MetricDefinition {
  /** Upper bounds in seconds. */
  readonly buckets: readonly number[];
}

/** For work inside a process and calls of a database or provider. */
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
/** For times that include waits in the queue: up to an hour. */
const WAIT_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600] as const;

export const counters = {
  operatorRefused: {
    name: 'carillon_operator_requests_refused',
    help: 'Operator requests without a valid token, by result: unauthenticated, rate_limited',
    labels: ['result'],
  },
  notifications: {
    name: 'carillon_notifications',
    help: 'Sends by intake (single, topic, bulk, kafka) and result: accepted, replayed (a duplicate avoided), rejected',
    labels: ['intake', 'result'],
  },
  claimed: {
    name: 'carillon_deliveries_claimed',
    help: 'Deliveries claimed by this worker, by channel',
    labels: ['channel'],
  },
  outcomes: {
    name: 'carillon_deliveries_outcomes',
    help: 'Finished pipeline runs, by channel, provider (empty if none was called), state, outcome and reason',
    labels: ['channel', 'provider', 'state', 'outcome', 'reason'],
  },
  unknown: {
    name: 'carillon_unknown_outcomes',
    help: 'Attempts without a known outcome, by channel and policy',
    labels: ['channel', 'policy'],
  },
  claimsLost: {
    name: 'carillon_claims_lost',
    help: 'Pipeline runs that stopped because their claim was lost or the delivery was cancelled',
    labels: ['channel'],
  },
  unrecorded: {
    name: 'carillon_outcomes_unrecorded',
    help: 'Sends whose outcome could not be recorded, by channel; three in a row quarantine the delivery',
    labels: ['channel'],
  },
  spoolUnreadable: {
    name: 'carillon_spool_unreadable',
    help: 'Spool files that could not be recorded and were moved aside',
    labels: [],
  },
  claimsReturned: {
    name: 'carillon_claims_returned',
    help: 'Claims released without an attempt, by channel and reason: stopping, outage, master_key',
    labels: ['channel', 'reason'],
  },
  spooled: {
    name: 'carillon_outcomes_spooled',
    help: 'Outcomes written to the local spool because the database was unavailable',
    labels: ['channel'],
  },
  receipts: {
    name: 'carillon_receipts',
    help: 'Receipts of vendors, by provider, kind and result',
    labels: ['provider', 'kind', 'result'],
  },
  breakers: {
    name: 'carillon_breaker_changes',
    help: 'State changes of the circuit breakers of provider accounts, by provider and new state',
    labels: ['provider', 'state'],
  },
  endpointsDisabled: {
    name: 'carillon_webhook_endpoints_disabled',
    help: 'Webhook endpoints that were disabled because they were gone or failed for days',
    labels: [],
  },
  events: {
    name: 'carillon_events_published',
    help: 'Events published, by destination: broker, webhooks',
    labels: ['to'],
  },
  quotaWarnings: {
    name: 'carillon_quota_warnings',
    help: 'Quotas of tenants that reached 80 or 100 percent, by period (day, month) and percent',
    labels: ['period', 'percent'],
  },
  pruned: { name: 'carillon_rows_pruned', help: 'Rows deleted after their retention, by table', labels: ['table'] },
  housekeepingFailures: {
    name: 'carillon_housekeeping_failures',
    help: 'Failed housekeeping tasks, by task',
    labels: ['task'],
  },
  eventsSetAside: {
    name: 'carillon_events_set_aside',
    help: 'Events that could not be queued for a webhook endpoint; replay `missing` once the cause is fixed',
    labels: [],
  },
  schedules: {
    name: 'carillon_schedule_occurrences',
    help: 'Occurrences of schedules, by result: fired, failed, skipped',
    labels: ['result'],
  },
  jobChunks: {
    name: 'carillon_job_chunks',
    help: 'Chunks of jobs, by kind and result: done, failed',
    labels: ['kind', 'result'],
  },
  renders: {
    name: 'carillon_renders',
    help: 'Templates checked or rendered, by app and how: inline, thread, time_out, busy',
    labels: ['app', 'how'],
  },
  frames: { name: 'carillon_inbox_frames', help: 'Frames sent to inbox streams, by type', labels: ['type'] },
} as const satisfies Record<string, MetricDefinition>;

export const tenantCounters = {
  accepted: {
    name: 'carillon_tenant_notifications',
    help: 'Sends accepted, by tenant: the busiest ones, and `other`',
    labels: ['tenant'],
  },
  deliveries: {
    name: 'carillon_tenant_deliveries',
    help: 'Finished pipeline runs, by state and tenant: the busiest ones, and `other`',
    labels: ['tenant', 'state'],
  },
} as const satisfies Record<string, MetricDefinition>;

export const histograms = {
  requests: {
    name: 'carillon_http_request_seconds',
    help: 'Time to answer an HTTP request, by method, route and status',
    labels: ['method', 'route', 'status'],
    buckets: REQUEST_SECONDS,
  },
  accept: {
    name: 'carillon_accept_seconds',
    help: 'Time from a valid request to its commit or rejection, by intake and result: answered, rejected, unavailable',
    labels: ['intake', 'result'],
    buckets: REQUEST_SECONDS,
  },
  queueWait: {
    name: 'carillon_queue_wait_seconds',
    help: 'Time from the due time of a delivery to its claim, by channel',
    labels: ['channel'],
    buckets: WAIT_SECONDS,
  },
  attempts: {
    name: 'carillon_attempt_seconds',
    help: 'Response time of a provider, by provider and outcome',
    labels: ['provider', 'outcome'],
    buckets: REQUEST_SECONDS,
  },
  steps: {
    name: 'carillon_pipeline_step_seconds',
    help: 'Time of each pipeline step, by step',
    labels: ['step'],
    buckets: REQUEST_SECONDS,
  },
  endToEnd: {
    name: 'carillon_end_to_end_seconds',
    help: 'Time from accept to the recorded send, by channel and the last reason to wait (none for most)',
    labels: ['channel', 'waited_for'],
    buckets: WAIT_SECONDS,
  },
} as const satisfies Record<string, HistogramDefinition>;
