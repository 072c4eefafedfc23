import { type Dashboard, emptyWhenHealthy, query, rate, timeseries } from './dashboard.js';

export const storesDashboard: Dashboard = {
  uid: 'stores',
  title: 'Stores',
  description: 'PostgreSQL, Redis, Kafka and the local spool, and the processes themselves.',
  rows: [
    {
      title: 'Health',
      panels: [
        timeseries(
          'Reached, by process',
          'short',
          query('min by (store, role, instance) (carillon_store_up)', '{{store}} from {{role}} {{instance}}'),
        ),
        timeseries(
          'Event loop busy',
          'percentunit',
          query('max by (instance) (carillon_event_loop_busy_ratio)', '{{instance}}'),
        ),
        timeseries('Outcomes in the spool', 'short', query('max by (instance) (carillon_spool_files)', '{{instance}}')),
        timeseries('Files of the spool moved aside', 'ops', rate('carillon_spool_unreadable_total', ['instance'])),
      ],
    },
    {
      title: 'PostgreSQL',
      panels: [
        timeseries(
          'Connections in use',
          'short',
          query('sum by (role, pool) (carillon_database_connections{state="used"})', '{{role}} {{pool}}'),
        ),
        timeseries(
          'Requests that wait for a connection',
          'short',
          query('sum by (role, pool) (carillon_database_connections{state="waiting"})', '{{role}} {{pool}}'),
        ),
        timeseries(
          'Connections of the server',
          'short',
          query('max(carillon_postgres_connections)', 'in use'),
          query('max(carillon_postgres_connections_max)', 'maximum'),
        ),
        timeseries(
          'Connections that a process may open',
          'short',
          query('max by (role, pool) (carillon_database_connections_max)', '{{role}} {{pool}}'),
        ),
        timeseries('Oldest transaction', 's', query('max(carillon_oldest_transaction_seconds)', 'oldest')),
        timeseries('Partitions exist for', 'd', query('min(carillon_partition_horizon_days)', 'days')),
        emptyWhenHealthy(
          timeseries('Rows deleted after their retention', 'ops', rate('carillon_rows_pruned_total', ['table'])),
        ),
        emptyWhenHealthy(
          timeseries('Failed housekeeping tasks', 'ops', rate('carillon_housekeeping_failures_total', ['task'])),
        ),
        emptyWhenHealthy(
          timeseries('Refused operator requests', 'ops', rate('carillon_operator_requests_refused_total', ['result'])),
        ),
      ],
    },
    {
      title: 'Kafka',
      panels: [
        timeseries(
          'Deliveries published and not committed',
          'short',
          query('max by (channel) (carillon_kafka_uncommitted)', '{{channel}}'),
        ),
        timeseries('Oldest event not published', 's', query('max(carillon_events_oldest_seconds)', 'oldest')),
        timeseries('Events published', 'ops', rate('carillon_events_published_total', ['to'], '{to="broker"}')),
      ],
    },
  ],
};
