import { type Dashboard, described, emptyWhenHealthy, quantiles, query, rate, stat, timeseries } from './dashboard.js';
import { pipelineDashboard } from './pipeline-dashboard.js';
import { providersDashboard } from './providers-dashboard.js';
import { SLO_DELIVERIES, sloDashboard } from './slo-dashboard.js';
import { storesDashboard } from './stores-dashboard.js';

const overview: Dashboard = {
  uid: 'overview',
  title: 'Overview',
  description: 'Is Carillon well? What does it do?',
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Sends accepted', 'ops', 'sum(rate(carillon_notifications_total{result="accepted"}[$__rate_interval]))'),
        stat('Deliveries sent', 'ops', 'sum(rate(carillon_deliveries_outcomes_total{state="sent"}[$__rate_interval]))'),
        stat('Oldest due delivery', 's', 'max(carillon_queue_oldest_due_seconds)'),
        stat('Deliveries due', 'short', 'sum(max by (channel) (carillon_queue_due))'),
        stat('Dead letters', 'short', 'max(carillon_dead_letters)'),
        stat('Open inbox streams', 'short', 'sum(carillon_inbox_streams)'),
        timeseries('Processes', 'short', query('sum by (role) (carillon_process_info)', '{{role}}')),
        timeseries(
          'Stores reached by all processes',
          'short',
          query('min by (store) (carillon_store_up)', '{{store}}'),
        ),
        emptyWhenHealthy(
          timeseries('Alerts', 'short', query('count by (alertname) (ALERTS{alertstate="firing"})', '{{alertname}}')),
        ),
      ],
    },
    {
      title: 'Traffic',
      panels: [
        timeseries('Sends by intake and result', 'ops', rate('carillon_notifications_total', ['intake', 'result'])),
        timeseries('Deliveries by state', 'ops', rate('carillon_deliveries_outcomes_total', ['state'])),
        timeseries('Sent by channel', 'ops', rate('carillon_deliveries_outcomes_total', ['channel'], '{state="sent"}')),
        timeseries('Time to accept', 's', ...quantiles('carillon_accept_seconds', [], { of: [0.5, 0.95, 0.99] })),
        timeseries(
          'Time from accept to sent',
          's',
          ...quantiles('carillon_end_to_end_seconds', [], { filter: SLO_DELIVERIES, of: [0.5, 0.95, 0.99] }),
        ),
        timeseries('HTTP requests by status', 'ops', rate('carillon_http_request_seconds_count', ['status'])),
      ],
    },
  ],
};

const tenants: Dashboard = {
  uid: 'tenants',
  title: 'Tenants',
  description: 'The busiest tenants by id (METRICS_TENANTS), and the others as one series.',
  variables: { tenant: 'carillon_tenant_deliveries_total' },
  rows: [
    {
      title: 'By tenant',
      panels: [
        timeseries(
          'Sends accepted',
          'ops',
          rate('carillon_tenant_notifications_total', ['tenant'], '{tenant=~"$tenant"}'),
        ),
        timeseries(
          'Deliveries sent',
          'ops',
          rate('carillon_tenant_deliveries_total', ['tenant'], '{tenant=~"$tenant", state="sent"}'),
        ),
        timeseries('Deliveries due', 'short', query('max by (tenant) (carillon_tenant_due)', '{{tenant}}')),
        timeseries(
          'Deliveries by state',
          'ops',
          rate('carillon_tenant_deliveries_total', ['state'], '{tenant=~"$tenant"}'),
        ),
        timeseries(
          'Failed deliveries',
          'ops',
          rate('carillon_tenant_deliveries_total', ['tenant'], '{tenant=~"$tenant", state="failed"}'),
        ),
        timeseries(
          'Suppressed deliveries',
          'ops',
          rate('carillon_tenant_deliveries_total', ['tenant'], '{tenant=~"$tenant", state="suppressed"}'),
        ),
        timeseries(
          'Share of failed deliveries',
          'percentunit',
          query(
            'sum by (tenant) (increase(carillon_tenant_deliveries_total{tenant=~"$tenant", state="failed"}[$__range])) / ' +
              'sum by (tenant) (increase(carillon_tenant_deliveries_total{tenant=~"$tenant"}[$__range]))',
            '{{tenant}}',
          ),
        ),
        emptyWhenHealthy(
          timeseries('Quotas reached', 'ops', rate('carillon_quota_warnings_total', ['period', 'percent'])),
        ),
      ],
    },
  ],
};

const inbox: Dashboard = {
  uid: 'inbox',
  title: 'Inbox',
  description: 'Streams of the inbox and deliveries to it.',
  rows: [
    {
      title: 'Streams',
      panels: [
        timeseries('Open streams', 'short', query('sum by (kind) (carillon_inbox_streams)', '{{kind}}')),
        timeseries('Frames sent', 'ops', rate('carillon_inbox_frames_total', ['type'])),
        timeseries('Streams by process', 'short', query('sum by (instance) (carillon_inbox_streams)', '{{instance}}')),
      ],
    },
    {
      title: 'Items',
      panels: [
        timeseries(
          'Items written',
          'ops',
          rate('carillon_deliveries_outcomes_total', ['channel'], '{outcome="in_inbox"}'),
        ),
        timeseries(
          'Time from accept to the inbox',
          's',
          ...quantiles('carillon_end_to_end_seconds', [], { filter: '{channel="in_app"}', of: [0.5, 0.95, 0.99] }),
        ),
        described(
          timeseries(
            'Requests of recipients',
            'ops',
            rate('carillon_http_request_seconds_count', ['method', 'route'], '{route=~"/api/v1/inbox.*"}'),
          ),
          'A stream counts when it ends.',
        ),
      ],
    },
  ],
};

/** By the name of their file under deployments/grafana/dashboards. */
export const dashboards: Readonly<Record<string, Dashboard>> = {
  overview,
  pipeline: pipelineDashboard,
  providers: providersDashboard,
  tenants,
  inbox,
  stores: storesDashboard,
  slo: sloDashboard,
};
