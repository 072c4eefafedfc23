-- Work that takes longer than a request: sends to a topic, uploads. A worker runs a chunk in one transaction, which locks
-- the job's row and stores where the next chunk begins.
create table jobs (
  tenant_id uuid not null references tenants (id) on delete cascade,
  -- The job of a send to a topic has the id of its notification.
  id uuid not null,
  kind text not null,
  state text not null default 'running' check (state in ('running', 'paused', 'finished', 'cancelled', 'failed')),
  -- What the kind needs, as it was accepted.
  input jsonb not null default '{}',
  -- Where the next chunk begins. Belongs to the kind.
  cursor jsonb not null default '{}',
  -- Null until it is known.
  total bigint,
  done bigint not null default 0,
  failed bigint not null default 0,
  pace_per_second real check (pace_per_second > 0),
  notification_id uuid,
  -- Of the last chunk that failed: {code, message}.
  error jsonb,
  -- Chunks that failed one after the other.
  failures smallint not null default 0,
  -- The earliest time of the next chunk.
  due_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  started_at timestamptz,
  -- Null while a worker has something to do, which a cancelled job may have too.
  finished_at timestamptz,
  primary key (tenant_id, id)
) with (fillfactor = 50);
create index jobs_due_at_idx on jobs (due_at) where finished_at is null and state <> 'paused';
select carillon_protect('jobs');
