import type { Database } from '../database.js';
import { NOT_FINAL } from '../stores/sending/delivery-moves.js';
import { type Check, eachPage, FIRST_UUID, Findings, PAGE_RESULT } from './check.js';

const REPORT = 'Report it with the ids.';
const PROBLEMS = {
  delivery_without_due_row: {
    severity: 'error',
    meaning: 'A delivery waits, but is not in the queue: no worker will ever send it.',
    advice: `Send it again with a new request, if it still matters. ${REPORT}`,
  },
  due_row_of_final_delivery: {
    severity: 'error',
    meaning: 'A row of the queue belongs to a delivery that is final or does not exist. A worker would refuse it.',
    advice: REPORT,
  },
  never_due: {
    severity: 'error',
    meaning: 'A delivery waits for another one, of its ordering key or its digest, that is not there.',
    advice: `Cancel its notification with DELETE /api/v1/notifications/{id} and send again. ${REPORT}`,
  },
  overdue_claim: {
    severity: 'warning',
    meaning: 'A claim ended more than ten minutes ago, and no worker has claimed the delivery again.',
    advice: 'Check that workers run, and that WORKER_CHANNELS of one includes the channel: see /readyz and their logs.',
  },
  overdue: {
    severity: 'warning',
    meaning: 'A delivery has been due for more than ten minutes, and no worker has claimed it.',
    advice:
      'Check that enough workers run, and that WORKER_CHANNELS of one includes the channel. ' +
      'GET /internal/overview shows accounts whose breaker is open.',
  },
  job_failed: {
    severity: 'warning',
    meaning:
      'A job failed ten times in a row and has stopped. GET /api/v1/jobs/{id} shows the error, GET ' +
      "/internal/dlq/replay/{id} that of an operator's replay.",
    advice: 'When the cause is gone, resume it with POST …/resume of that path, or end it with …/cancel or …/stop.',
  },
  job_overdue: {
    severity: 'warning',
    meaning: 'A job has been due for more than ten minutes, and no worker has run it.',
    advice: 'Check that workers run, and their logs.',
  },
  job_total: {
    severity: 'error',
    meaning: 'A finished job has done more or fewer items than its total.',
    advice: REPORT,
  },
} as const;

/** Compares deliveries with the queue, and looks for queue rows and jobs that nothing works on. */
export function queueChecks(database: Database): Check[] {
  const check = (name: string, text: string): Check => ({
    name,
    run: async (onProgress) => {
      const findings = new Findings(PROBLEMS);
      const examined = await eachPage(
        database,
        { first: FIRST_UUID, text },
        async (problems) => {
          for (const { problem, id } of problems) findings.add(problem, [id]);
        },
        onProgress,
      );
      return { examined, findings: findings.list() };
    },
  });
  return [check('deliveries', DELIVERIES), check('queue', QUEUE), check('jobs', JOBS)];
}

/** Indexes: deliveries_pkey, due_deliveries_pkey. */
const DELIVERIES = `
with page as materialized (
  select tenant_id, id, state from deliveries
  where (tenant_id, id) > ($1::uuid, $2::uuid) and (tenant_id, id) <= ($3::uuid, $4::uuid)
  order by tenant_id, id limit $5::integer
), problems as materialized (
  select 'delivery_without_due_row' as problem, d.tenant_id, d.id from page d
  where d.state in ${NOT_FINAL}
    and (select 1 from due_deliveries q where q.tenant_id = d.tenant_id and q.delivery_id = d.id) is null
)
${PAGE_RESULT}`;

/**
 * Indexes: due_deliveries_pkey, deliveries_pkey, due_deliveries_head_idx, due_deliveries_leader_idx.
 */
const QUEUE = `
with page as materialized (
  select tenant_id, delivery_id as id, due_at, claim_id, ordering_key, digest_id from due_deliveries
  where (tenant_id, delivery_id) > ($1::uuid, $2::uuid) and (tenant_id, delivery_id) <= ($3::uuid, $4::uuid)
  order by tenant_id, delivery_id limit $5::integer
), problems as materialized (
  select 'due_row_of_final_delivery' as problem, q.tenant_id, q.id from page q
  where coalesce((select d.state from deliveries d where d.tenant_id = q.tenant_id and d.id = q.id), 'none')
    not in ${NOT_FINAL}
  union all
  select 'never_due', q.tenant_id, q.id from page q
  where q.due_at = 'infinity'
    and (select 1 from due_deliveries h
         where h.tenant_id = q.tenant_id and h.ordering_key = q.ordering_key and h.due_at < 'infinity') is null
    and (select 1 from due_deliveries l
         where l.tenant_id = q.tenant_id and l.digest_id = q.digest_id and l.due_at < 'infinity') is null
  union all
  select case when q.claim_id is null then 'overdue' else 'overdue_claim' end, q.tenant_id, q.id from page q
  where q.due_at < now() - interval '10 minutes'
)
${PAGE_RESULT}`;

/** Index: jobs_pkey. */
const JOBS = `
with page as materialized (
  select tenant_id, id, kind, state, total, done, failed, due_at, finished_at from jobs
  where (tenant_id, id) > ($1::uuid, $2::uuid) and (tenant_id, id) <= ($3::uuid, $4::uuid)
  order by tenant_id, id limit $5::integer
), problems as materialized (
  select 'job_failed' as problem, tenant_id, id from page where state = 'failed'
  union all
  select 'job_overdue', tenant_id, id from page
  where finished_at is null and state in ('running', 'cancelled') and due_at < now() - interval '10 minutes'
  union all
  -- Dead letters that a replay has counted may be discarded before their turn.
  select 'job_total', tenant_id, id from page
  where state = 'finished' and kind not like '%dead_letter_replay' and total <> done + failed
)
${PAGE_RESULT}`;
