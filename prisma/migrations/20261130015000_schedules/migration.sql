-- Recurring sends. A worker fires a schedule when next_at has come and sets the next one in the same transaction.
create table schedules (
  tenant_id uuid not null references tenants (id) on delete cascade,
  id uuid not null,
  rrule text not null,
  -- Local times and dates that are left out.
  exdates text[] not null default '{}',
  -- A zone, or 'recipient'.
  timezone text not null,
  starts_at_local text not null,
  -- The last local time, if the rule has a COUNT.
  last_local text,
  -- The body of the send, and the recipient in it; null for a topic.
  notification jsonb not null,
  recipient_id text,
  misfire text not null check (misfire in ('fire_once', 'skip')),
  state text not null check (state in ('active', 'paused', 'finished')),
  -- The next occurrence: what clocks show at it, and when that is. Null unless active.
  next_local text,
  next_at timestamptz,
  last_fired_at timestamptz,
  last_notification_id uuid,
  -- The last occurrence that was not fired in time.
  last_missed_at timestamptz,
  -- Occurrences in a row that could not be fired, and the error of the last one.
  failures integer not null default 0,
  last_error jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, id),
  check ((state = 'active') = (next_at is not null) and (next_at is null) = (next_local is null))
);
create index schedules_next_at_idx on schedules (next_at) where next_at is not null;
-- For the erasure of a recipient.
create index schedules_recipient_idx on schedules (tenant_id, recipient_id) where recipient_id is not null;
select carillon_protect('schedules');
