// The objectives of deployments/prometheus/alerts.yaml: 99.9 % of the requests to send without a 5xx, 99 % of the
// deliveries that need not wait sent within 30 s.

import { type Dashboard, described, quantiles, query, stat, timeseries } from './dashboard.js';

/** Deliveries that did not wait for a schedule, a limit or quiet hours. */
export const SLO_DELIVERIES = '{waited_for=~"none|retry|provider_down"}';

const ACCEPT_ERRORS =
  '(sum(increase(carillon_accept_seconds_count{result="unavailable"}[$__range])) or vector(0)) ' +
  '/ sum(increase(carillon_accept_seconds_count[$__range]))';
const LATE =
  '1 - sum(increase(carillon_end_to_end_seconds_bucket{waited_for=~"none|retry|provider_down",le="30"}[$__range])) ' +
  `/ sum(increase(carillon_end_to_end_seconds_count${SLO_DELIVERIES}[$__range]))`;
const RATE = 'A rate of 1 uses up the error budget in exactly 30 days. Alerts: 14.4 for an hour, 6 for six hours.';

const burnRates = (record: string, budget: number) =>
  ['5m', '30m', '1h', '6h'].map((window) => query(`${record}:ratio_${window} / ${budget}`, window));

export const sloDashboard: Dashboard = {
  uid: 'slo',
  title: 'SLO',
  description: 'Objectives and error budgets. Choose the last 30 days to see the budget.',
  rows: [
    {
      title: 'Accept: 99.9 % of the requests to send get no 5xx',
      panels: [
        stat('Requests without 5xx', 'percentunit', `1 - ${ACCEPT_ERRORS}`),
        described(
          stat('Error budget left', 'percentunit', `1 - (${ACCEPT_ERRORS}) / 0.001`),
          'Of the chosen time range. Below 0 the objective is missed.',
        ),
        described(timeseries('Burn rate', 'short', ...burnRates('carillon:accept_errors', 0.001)), RATE),
        timeseries(
          'Time to accept, by intake',
          's',
          ...quantiles('carillon_accept_seconds', ['intake'], { of: [0.95, 0.99] }),
        ),
      ],
    },
    {
      title: 'Delay: 99 % of the deliveries that need not wait are sent within 30 s',
      panels: [
        stat('Sent in time', 'percentunit', `1 - (${LATE})`),
        described(
          stat('Error budget left', 'percentunit', `1 - (${LATE}) / 0.01`),
          'Of the chosen time range. Below 0 the objective is missed.',
        ),
        described(timeseries('Burn rate', 'short', ...burnRates('carillon:late_deliveries', 0.01)), RATE),
        timeseries(
          'Time from accept to sent, by channel',
          's',
          ...quantiles('carillon_end_to_end_seconds', ['channel'], { filter: SLO_DELIVERIES, of: [0.95, 0.99] }),
        ),
      ],
    },
  ],
};
