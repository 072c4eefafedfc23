-- Only while a delivery is held for quiet hours: its recipient, and when their hours and time zone were read.
alter table due_deliveries
  add column quiet_recipient_id text,
  add column quiet_decided_at timestamptz;
create index due_deliveries_quiet_idx on due_deliveries (tenant_id, quiet_recipient_id, quiet_decided_at)
  where quiet_recipient_id is not null;

-- Changes of quiet hours or time zones. Workers make the deliveries that are held by the old ones due, so that they are
-- decided again: once at once, and once when no decision by the old ones can be recorded any more.
create table quiet_hours_changes (
  tenant_id uuid not null,
  id uuid not null default gen_random_uuid(),
  -- Null for a change of the tenant, which concerns all its recipients.
  recipient_id text,
  changed_at timestamptz not null default now(),
  -- The time from which a worker may take it.
  due_at timestamptz not null default now(),
  is_last boolean not null default false,
  primary key (tenant_id, id)
);
create index quiet_hours_changes_due_at_idx on quiet_hours_changes (due_at);
select carillon_protect('quiet_hours_changes');

-- Triggers, because profiles are written by many statements, also by those that accept sends. Each has a condition that
-- is cheap and false for most writes.
create function carillon_note_recipient_change() returns trigger
language plpgsql as $$
begin
  insert into quiet_hours_changes (tenant_id, recipient_id) values (new.tenant_id, to_jsonb(new) ->> tg_argv[0]);
  return null;
end
$$;

-- A new profile changes something only if deliveries without a profile are held: an upload of new profiles notes nothing.
-- Index: due_deliveries_quiet_idx.
create function carillon_note_new_recipient() returns trigger
language plpgsql as $$
begin
  insert into quiet_hours_changes (tenant_id, recipient_id)
  select new.tenant_id, new.id
  where exists (
    select from due_deliveries d where d.tenant_id = new.tenant_id and d.quiet_recipient_id = new.id);
  return null;
end
$$;

create function carillon_note_tenant_change() returns trigger
language plpgsql as $$
begin
  insert into quiet_hours_changes (tenant_id) values (new.id);
  return null;
end
$$;

create trigger note_timezone after update of timezone on recipients
  for each row when (old.timezone is distinct from new.timezone) execute function carillon_note_recipient_change('id');
create trigger note_new_timezone after insert on recipients
  for each row when (new.timezone is not null) execute function carillon_note_new_recipient();
create trigger note_quiet_hours after update of quiet_hours on preferences
  for each row when (old.quiet_hours is distinct from new.quiet_hours)
  execute function carillon_note_recipient_change('recipient_id');
create trigger note_new_quiet_hours after insert on preferences
  for each row when (new.quiet_hours is not null) execute function carillon_note_recipient_change('recipient_id');
create trigger note_quiet_hours after update of settings on tenants
  for each row when (
    old.settings -> 'timezone' is distinct from new.settings -> 'timezone'
    or old.settings -> 'quiet_hours' is distinct from new.settings -> 'quiet_hours'
    or old.settings -> 'quiet_hours_floor' is distinct from new.settings -> 'quiet_hours_floor')
  execute function carillon_note_tenant_change();
