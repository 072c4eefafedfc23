-- While a transaction stays open, no row deleted since it began can be removed, and a scan from the front of a queue reads all of them (docs/adr/0025).

-- The age of the oldest open transaction of this database in seconds, 0 when none is. security definer: of other roles' transactions only their owners, and
-- roles that may read all statistics, see more than that they are there. Nobody gets that right for it, because it would cover the query texts of all
-- databases of the server. Where the role that migrates may not see them either, they are left out. A vacuum holds back nothing.
create function carillon_oldest_transaction_seconds() returns double precision
language sql security definer as $$
  select greatest(0, coalesce(extract(epoch from clock_timestamp() - min(since)), 0))::double precision
  from (
    select xact_start as since from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type <> 'autovacuum worker'
      and (backend_xmin is not null or backend_xid is not null)
    union all
    select prepared from pg_prepared_xacts where database = current_database()
  ) transactions
$$;
revoke execute on function carillon_oldest_transaction_seconds() from public;
grant execute on function carillon_oldest_transaction_seconds() to carillon_platform;

-- The last sequence number given out; EventsStore derives its watermarks from it.
grant select on sequence events_seq_seq to carillon_platform;

-- A vacuum or analyze that finds a queue empty, but full of dead rows, notes that it has no rows. The planner then takes reading all of its index for
-- as cheap as one look-up, and statements that look deliveries up by their key read every dead entry. This notes a thousand rows instead, after which
-- look-ups are look-ups again. Before version 18 statistics cannot be set. The lock time-out is far below deadlock_timeout, so that a running vacuum is
-- neither waited for nor cancelled.
create function carillon_expect_rows() returns void
language plpgsql security definer as $$
declare
  queue record;
begin
  if current_setting('server_version_num')::integer < 180000 then
    return;
  end if;
  for queue in
    select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid in ('due_deliveries'::regclass, 'events'::regclass) and c.reltuples between 0 and 100 and c.relpages > 100
  loop
    execute format('select pg_restore_relation_stats(%L, %L, %L, %L, %L, 1000::real)', 'schemaname', queue.nspname, 'relname', queue.relname, 'reltuples');
  end loop;
exception when lock_not_available then
  null;
end
$$;
revoke execute on function carillon_expect_rows() from public;
grant execute on function carillon_expect_rows() to carillon_platform;

-- As in 20261125108000_search_path.
do $$
begin
  execute format('alter function carillon_oldest_transaction_seconds() set search_path = %I, pg_temp', current_schema());
  execute format('alter function carillon_expect_rows() set search_path = %I, pg_temp', current_schema());
  alter function carillon_expect_rows() set lock_timeout = '50ms';
end
$$;

-- Looks for the newest row of the key: of a batch with the same key each row then finds the one before it, and only the first passes the dead ones.
-- Index: due_deliveries_ordering_idx.
create or replace function carillon_block_behind_head() returns trigger
language plpgsql as $$
begin
  perform carillon_lock_ordering_keys(array[carillon_ordering_lock(new.tenant_id, new.ordering_key)]);
  perform from due_deliveries d where d.tenant_id = new.tenant_id and d.ordering_key = new.ordering_key order by d.delivery_id desc limit 1;
  if found then
    new.not_before := new.due_at;
    new.due_at := 'infinity';
    new.reason := 'ordering';
  end if;
  return new;
end
$$;
