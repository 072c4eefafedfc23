import { type Dashboard, emptyWhenHealthy, quantiles, query, rate, timeseries } from './dashboard.js';

const CHANNEL = '{channel=~"$channel"}';

export const pipelineDashboard: Dashboard = {
  uid: 'pipeline',
  title: 'Pipeline',
  description: 'The queue, the steps of the pipeline, and why deliveries wait or end.',
  variables: { channel: 'carillon_queue_waiting' },
  rows: [
    {
      title: 'Queue',
      panels: [
        timeseries('Due', 'short', query(`max by (channel) (carillon_queue_due${CHANNEL})`, '{{channel}}')),
        timeseries(
          'Oldest due',
          's',
          query(`max by (channel) (carillon_queue_oldest_due_seconds${CHANNEL})`, '{{channel}}'),
        ),
        timeseries('Claimed', 'short', query(`max by (channel) (carillon_queue_in_flight${CHANNEL})`, '{{channel}}')),
        timeseries('Not final', 'short', query(`max by (channel) (carillon_queue_waiting${CHANNEL})`, '{{channel}}')),
        timeseries('Claims', 'ops', rate('carillon_deliveries_claimed_total', ['channel'], CHANNEL)),
        timeseries(
          'Published to Kafka and not committed',
          'short',
          query(`max by (channel) (carillon_kafka_uncommitted${CHANNEL})`, '{{channel}}'),
        ),
      ],
    },
    {
      title: 'Time',
      panels: [
        timeseries(
          'In the queue',
          's',
          ...quantiles('carillon_queue_wait_seconds', ['channel'], { filter: CHANNEL, of: [0.5, 0.95] }),
        ),
        timeseries('In each step, p95', 's', ...quantiles('carillon_pipeline_step_seconds', ['step'])),
        timeseries(
          'From accept to sent',
          's',
          ...quantiles('carillon_end_to_end_seconds', ['channel'], { filter: CHANNEL, of: [0.5, 0.95] }),
        ),
        timeseries(
          'From accept to sent by reason to wait, p95',
          's',
          ...quantiles('carillon_end_to_end_seconds', ['waited_for'], { filter: CHANNEL }),
        ),
        timeseries('Templates rendered', 'ops', rate('carillon_renders_total', ['app', 'how'])),
        timeseries('Templates that wait', 'short', query('sum by (app) (carillon_renders_waiting)', '{{app}}')),
      ],
    },
    {
      title: 'Outcomes',
      panels: [
        timeseries('By state', 'ops', rate('carillon_deliveries_outcomes_total', ['state'], CHANNEL)),
        timeseries(
          'Held and retried, by reason',
          'ops',
          rate(
            'carillon_deliveries_outcomes_total',
            ['reason'],
            '{channel=~"$channel", outcome=~"held|retry|collected"}',
          ),
        ),
        timeseries(
          'Failed and suppressed, by reason',
          'ops',
          rate(
            'carillon_deliveries_outcomes_total',
            ['state', 'reason'],
            '{channel=~"$channel", state=~"failed|suppressed"}',
          ),
        ),
        timeseries('Bugs', 'ops', rate('carillon_deliveries_outcomes_total', ['channel'], '{outcome="error"}')),
        emptyWhenHealthy(
          timeseries('Unknown outcomes', 'ops', rate('carillon_unknown_outcomes_total', ['channel', 'policy'])),
        ),
        emptyWhenHealthy(timeseries('Claims lost', 'ops', rate('carillon_claims_lost_total', ['channel']))),
        emptyWhenHealthy(timeseries('Claims returned', 'ops', rate('carillon_claims_returned_total', ['reason']))),
        emptyWhenHealthy(
          timeseries('Outcomes written to the spool', 'ops', rate('carillon_outcomes_spooled_total', ['channel'])),
        ),
        emptyWhenHealthy(
          timeseries('Outcomes not recorded', 'ops', rate('carillon_outcomes_unrecorded_total', ['channel'])),
        ),
      ],
    },
    {
      title: 'Jobs and schedules',
      panels: [
        timeseries('Jobs with work left', 'short', query('max(carillon_jobs)', 'jobs')),
        timeseries(
          'Delay of the oldest',
          's',
          query('max(carillon_jobs_oldest_due_seconds)', 'job'),
          query('max(carillon_schedules_oldest_due_seconds)', 'schedule'),
        ),
        timeseries('Chunks', 'ops', rate('carillon_job_chunks_total', ['kind', 'result'])),
        emptyWhenHealthy(
          timeseries('Occurrences of schedules', 'ops', rate('carillon_schedule_occurrences_total', ['result'])),
        ),
      ],
    },
  ],
};
