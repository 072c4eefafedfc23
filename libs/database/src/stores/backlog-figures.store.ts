import type { Database } from '../database.js';

export interface BacklogFigures {
  /** Dead letters neither replayed nor settled by a receipt. */
  deadLetters: number;
  endpointsEnabled: number;
  /** Enabled, and their last attempts failed. */
  endpointsFailing: number;
  /** Disabled by Carillon: gone, or failing for days. */
  endpointsDisabled: number;
  /** Disabled by the tenant. */
  endpointsOff: number;
  /** Jobs with work left. Without paused ones. */
  jobs: number;
  jobsOldestDueSeconds: number;
  schedulesOldestDueSeconds: number;
  /** Connections of all programs to the database server. */
  connections: number;
  maxConnections: number;
}

/** Each figure is counted up to this, which bounds the time of a scrape. */
const MAX_COUNTED = 10_000;

/** Work that waits outside the queue of deliveries, for metrics. */
export class BacklogFiguresStore {
  constructor(private readonly database: Database) {}

  async read(): Promise<BacklogFigures> {
    const [row] = await this.database.platform.query<BacklogFigures>({ name: 'backlog_figures', text: READ });
    return row!;
  }
}

/** Indexes: dead_letters_open_idx, jobs_due_at_idx, schedules_next_at_idx; reads webhook_endpoints. */
const READ = `
with letters as (
  select count(*) as count from (
    select from dead_letters where replayed_at is null and settled_at is null limit ${MAX_COUNTED}
  ) l
), endpoints as (
  select count(*) filter (where enabled and failing_since is null) as enabled,
         count(*) filter (where enabled and failing_since is not null) as failing,
         count(*) filter (where not enabled and disabled_reason is not null) as disabled,
         count(*) filter (where not enabled and disabled_reason is null) as off
  from (select enabled, failing_since, disabled_reason from webhook_endpoints limit ${MAX_COUNTED}) w
), open_jobs as (
  select count(*) as count, min(due_at) as oldest from (
    select due_at from jobs where finished_at is null and state <> 'paused' order by due_at limit ${MAX_COUNTED}
  ) j
), server as (
  select sum(numbackends) as connections from pg_stat_database
)
select l.count as "deadLetters", e.enabled as "endpointsEnabled", e.failing as "endpointsFailing",
       e.disabled as "endpointsDisabled", e.off as "endpointsOff", j.count as jobs,
       greatest(0, coalesce(extract(epoch from now() - j.oldest), 0))::float8 as "jobsOldestDueSeconds",
       greatest(0, coalesce(extract(epoch from now() - (select min(next_at) from schedules where next_at is not null)),
                            0))::float8 as "schedulesOldestDueSeconds",
       s.connections::bigint as connections, current_setting('max_connections')::bigint as "maxConnections"
from letters l, endpoints e, open_jobs j, server s`;
