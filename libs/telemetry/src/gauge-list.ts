import type { MetricDefinition } from './metric-list.js';

/**
 * The gauges, read at each scrape. Those that describe the database have the same value in every worker: use max, not
 * sum.
 */
export const gauges = {
  info: {
    name: 'carillon_process_info',
    help: 'Always 1, for each role that this process runs: api, worker',
    labels: ['role'],
  },
  storeUp: {
    name: 'carillon_store_up',
    help: '1 if this process reaches the store (postgres, redis, kafka), 0 if not',
    labels: ['role', 'store'],
  },
  connections: {
    name: 'carillon_database_connections',
    help: 'Connections of this process by role, pool and state: used, idle, and waiting for requests without one',
    labels: ['role', 'pool', 'state'],
  },
  connectionsMax: {
    name: 'carillon_database_connections_max',
    help: 'Maximum number of connections of this process, by role and pool',
    labels: ['role', 'pool'],
  },
  serverConnections: {
    name: 'carillon_postgres_connections',
    help: 'Connections to the database server, of all programs',
    labels: [],
  },
  serverConnectionsMax: {
    name: 'carillon_postgres_connections_max',
    help: "The database server's max_connections",
    labels: [],
  },
  oldestTransaction: {
    name: 'carillon_oldest_transaction_seconds',
    help: 'Age of the oldest open transaction of the database, which prevents the removal of deleted rows',
    labels: [],
  },
  partitionHorizon: {
    name: 'carillon_partition_horizon_days',
    help: 'Days covered by weekly partitions; below 7 workers cannot create them, at 0 sends are rejected',
    labels: [],
  },
  waiting: { name: 'carillon_queue_waiting', help: 'Deliveries that are not final, by channel', labels: ['channel'] },
  due: { name: 'carillon_queue_due', help: 'Deliveries due now and not claimed, by channel', labels: ['channel'] },
  inFlight: {
    name: 'carillon_queue_in_flight',
    help: 'Deliveries claimed by any worker, by channel',
    labels: ['channel'],
  },
  oldestDue: {
    name: 'carillon_queue_oldest_due_seconds',
    help: 'Age of the oldest due delivery, by channel',
    labels: ['channel'],
  },
  tenantDue: {
    name: 'carillon_tenant_due',
    help: 'Deliveries due now, by tenant: those with the most, and `other`',
    labels: ['tenant'],
  },
  deadLetters: {
    name: 'carillon_dead_letters',
    help: 'Dead letters neither replayed nor settled by a receipt, counted up to 10,000',
    labels: [],
  },
  endpoints: {
    name: 'carillon_webhook_endpoints',
    help: 'Webhook endpoints by state: enabled, failing (last attempts), disabled (by Carillon), off (by the tenant)',
    labels: ['state'],
  },
  jobs: {
    name: 'carillon_jobs',
    help: 'Jobs with work left, without paused ones, counted up to 10,000',
    labels: [],
  },
  jobsOldestDue: {
    name: 'carillon_jobs_oldest_due_seconds',
    help: 'How long the oldest due job has waited for its next chunk',
    labels: [],
  },
  schedulesOldestDue: {
    name: 'carillon_schedules_oldest_due_seconds',
    help: 'How late the oldest due occurrence of a schedule is',
    labels: [],
  },
  accounts: {
    name: 'carillon_provider_accounts',
    help: 'Provider accounts in use by this worker, by provider and state of their breaker',
    labels: ['provider', 'state'],
  },
  rendersWaiting: {
    name: 'carillon_renders_waiting',
    help: 'Templates that wait for a render thread, by app',
    labels: ['app'],
  },
  eventsOldest: {
    name: 'carillon_events_oldest_seconds',
    help: 'Age of the oldest event that is not published to Kafka',
    labels: [],
  },
  kafkaLag: {
    name: 'carillon_kafka_uncommitted',
    help: 'Deliveries published to Kafka and not yet committed, of all workers, by channel',
    labels: ['channel'],
  },
  spool: { name: 'carillon_spool_files', help: 'Outcomes in the local spool that are not recorded yet', labels: [] },
  streams: { name: 'carillon_inbox_streams', help: 'Open inbox streams by kind: websocket, sse', labels: ['kind'] },
  eventLoop: {
    name: 'carillon_event_loop_busy_ratio',
    help: 'Share of the time since the last scrape in which the event loop was busy; near 1 the process is overloaded',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;
