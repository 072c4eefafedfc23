-- Entries name the caller, its address, and what changed, before and after. All earlier entries are the operator's.
-- The owner has no policy for rows that it only stores, so row-level security is not forced during the update.
alter table audit_log
  add column actor text not null default 'operator',
  add column source_address text,
  add column subject text,
  add column before jsonb,
  add column after jsonb;
alter table audit_log no force row level security;
update audit_log set
  subject = coalesce(detail->>'id', detail->>'key_id', detail->'after'->>'id'),
  before = detail->'before',
  after = coalesce(detail->'after', detail);
alter table audit_log force row level security;
alter table audit_log drop column detail, alter column actor drop default;

-- Lists are over all tenants, newest first.
create index audit_log_id_idx on audit_log (id);
create index audit_log_action_id_idx on audit_log (action, id);
create index audit_log_actor_id_idx on audit_log (actor, id);

-- Append-only: the platform inserts and reads, a tenant's connection only inserts its own entries.
revoke all on audit_log from carillon_tenant, carillon_platform;
grant insert on audit_log to carillon_tenant, carillon_platform;
grant select on audit_log to carillon_platform;

-- Only the owner deletes, and only entries older than 30 days: row-level security is forced on it too.
create policy owner_reads on audit_log for select to current_user using (true);
create policy owner_deletes on audit_log for delete to current_user using (created_at < now() - interval '30 days');

-- Deletes up to `batch` entries that are older than `days`, never younger than 30 days, oldest first. Returns their
-- number. Ids are UUIDv7, so the first id of a time bounds the scan. Index: audit_log_id_idx.
create function carillon_prune_audit_log(days integer, batch integer) returns integer
language plpgsql security definer as $$
declare
  cutoff timestamptz := now() - make_interval(days => greatest(days, 30));
  end_id uuid := (lpad(to_hex((extract(epoch from cutoff) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
  deleted integer;
begin
  delete from audit_log where id = any (array(
    select id from audit_log where id < end_id and created_at < cutoff order by id limit batch));
  get diagnostics deleted = row_count;
  return deleted;
end
$$;
revoke execute on function carillon_prune_audit_log(integer, integer) from public;
grant execute on function carillon_prune_audit_log(integer, integer) to carillon_platform;

-- As in 20261125108000_search_path.
do $$
begin
  execute format('alter function carillon_prune_audit_log(integer, integer) set search_path = %I, pg_temp', current_schema());
end
$$;
