import { type Dashboard, described, emptyWhenHealthy, quantiles, query, rate, timeseries } from './dashboard.js';

const PROVIDER = '{provider=~"$provider"}';

export const providersDashboard: Dashboard = {
  uid: 'providers',
  title: 'Providers',
  description: 'Attempts at providers, the health of accounts, receipts and webhook endpoints.',
  variables: { provider: 'carillon_attempt_seconds_count' },
  rows: [
    {
      title: 'Attempts',
      panels: [
        timeseries('By provider', 'ops', rate('carillon_attempt_seconds_count', ['provider'], PROVIDER)),
        timeseries(
          'Not sent, by outcome',
          'ops',
          rate('carillon_attempt_seconds_count', ['provider', 'outcome'], '{provider=~"$provider", outcome!="sent"}'),
        ),
        timeseries(
          'Response time, p95',
          's',
          ...quantiles('carillon_attempt_seconds', ['provider'], { filter: PROVIDER }),
        ),
        timeseries(
          'Share of attempts that failed',
          'percentunit',
          query(
            `1 - sum by (provider) (rate(carillon_attempt_seconds_count{provider=~"$provider", outcome="sent"}[$__rate_interval])) ` +
              `/ sum by (provider) (rate(carillon_attempt_seconds_count${PROVIDER}[$__rate_interval]))`,
            '{{provider}}',
          ),
        ),
        timeseries(
          'Failed deliveries, by reason',
          'ops',
          rate('carillon_deliveries_outcomes_total', ['provider', 'reason'], '{provider=~"$provider", state="failed"}'),
        ),
        emptyWhenHealthy(
          timeseries(
            'Held by the pace or the concurrency of accounts',
            'ops',
            rate('carillon_deliveries_outcomes_total', ['channel'], '{reason="provider_limit"}'),
          ),
        ),
      ],
    },
    {
      title: 'Accounts',
      panels: [
        described(
          emptyWhenHealthy(
            timeseries(
              'Accounts whose breaker is not closed',
              'short',
              query(
                'max by (provider, state) (carillon_provider_accounts{provider=~"$provider", state!="closed"})',
                '{{provider}} {{state}}',
              ),
            ),
          ),
          'In the worker that has the most of them.',
        ),
        emptyWhenHealthy(
          timeseries(
            'Changes of breakers',
            'ops',
            rate('carillon_breaker_changes_total', ['provider', 'state'], PROVIDER),
          ),
        ),
        emptyWhenHealthy(
          timeseries('Receipts', 'ops', rate('carillon_receipts_total', ['provider', 'kind', 'result'], PROVIDER)),
        ),
      ],
    },
    {
      title: 'Webhook endpoints',
      panels: [
        timeseries('Endpoints by state', 'short', query('max by (state) (carillon_webhook_endpoints)', '{{state}}')),
        timeseries(
          'Attempts by outcome',
          'ops',
          rate('carillon_attempt_seconds_count', ['outcome'], '{provider="webhook"}'),
        ),
        timeseries('Events queued and published', 'ops', rate('carillon_events_published_total', ['to'])),
        timeseries(
          'Endpoints disabled, events set aside',
          'ops',
          query('sum(rate(carillon_webhook_endpoints_disabled_total[$__rate_interval]))', 'endpoints disabled'),
          query('sum(rate(carillon_events_set_aside_total[$__rate_interval]))', 'events set aside'),
        ),
      ],
    },
  ],
};
