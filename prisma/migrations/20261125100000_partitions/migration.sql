-- Weekly partitions (docs/adr/0016): bounds computed in whole milliseconds, so that no time zone matters; made beside traffic
-- without blocking it; dropped when every tenant's retention has passed.
--
-- A week begins on Monday 00:00 UTC. In milliseconds since 1970 a week is 604,800,000, and the first Monday is 345,600,000.

-- The partitions of all partitioned tables, with the milliseconds in their bounds.
create function carillon_partitions() returns table (parent text, name text, first_ms bigint, end_ms bigint, first_id uuid, end_id uuid)
language sql stable set search_path from current as $$
  select parent, name, ('x' || left(replace(first_id::text, '-', ''), 12))::bit(48)::bigint, ('x' || left(replace(end_id::text, '-', ''), 12))::bit(48)::bigint, first_id, end_id
  from (
    -- A bound reads: FOR VALUES FROM ('…') TO ('…')
    select p.relname::text as parent, c.relname::text as name, split_part(b.text, '''', 2)::uuid as first_id, split_part(b.text, '''', 4)::uuid as end_id
    from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
    cross join lateral (select pg_get_expr(c.relpartbound, c.oid) as text offset 0) b
    where p.relkind = 'p' and p.relnamespace = current_schema()::regnamespace and p.relname in ('notifications', 'deliveries', 'attempts', 'decisions')
    offset 0
  ) partitions
$$;

-- The first moment from `from_ms` on that no partition of the table covers.
create function carillon_covered_until(wanted_parent text, from_ms bigint) returns bigint
language plpgsql stable set search_path from current as $$
declare
  covered bigint := from_ms;
  bounds record;
begin
  for bounds in select * from carillon_partitions() where parent = wanted_parent and end_ms > from_ms order by first_ms loop
    exit when bounds.first_ms > covered;
    covered := greatest(covered, bounds.end_ms);
  end loop;
  return covered;
end
$$;

-- Days from `at` on for which every table has partitions.
create function carillon_partition_horizon_days(at timestamptz default now()) returns double precision
language sql stable set search_path from current as $$
  select min(carillon_covered_until(t.name, t.at_ms) - t.at_ms) / 86400000.0::double precision
  from (select unnest(array['notifications', 'deliveries', 'attempts', 'decisions']) as name, (extract(epoch from at) * 1000)::bigint as at_ms) t
$$;

-- Makes the earliest missing partition of one table between last week and `weeks_ahead` weeks after this one; returns its name, or null when none
-- is missing. A gap that older versions left is closed, and a range that they made too long is respected: the new partition begins where it ends.
--
-- The partition is created by itself and then attached: `create table … partition of` would lock the table exclusively. Attaching takes SHARE UPDATE
-- EXCLUSIVE on the table, which no read and no write conflicts with; the check that it makes of the new table finds it empty. One table for each
-- call, and the caller commits each, so no second lock is waited for. security definer: the application's roles may not create tables.
create function carillon_make_partition(wanted_parent text, weeks_ahead integer default 4, at timestamptz default now()) returns text
language plpgsql security definer set search_path from current set lock_timeout = '300ms' as $$
declare
  week constant bigint := 604800000;
  monday constant bigint := 345600000;
  this_week bigint := floor(((extract(epoch from at) * 1000)::bigint - monday)::numeric / week)::bigint * week + monday;
  from_ms bigint;
  until_ms bigint;
  starts timestamp;
  partition_name text;
begin
  if wanted_parent not in ('notifications', 'deliveries', 'attempts', 'decisions') then
    raise exception '% has no weekly partitions', wanted_parent;
  end if;
  -- Somebody else is at this table, and goes on until nothing is left to do.
  if not pg_try_advisory_xact_lock(hashtext('carillon_partitions ' || wanted_parent)) then
    return null;
  end if;
  from_ms := carillon_covered_until(wanted_parent, this_week - week);
  if from_ms >= this_week + (weeks_ahead + 1) * week then
    return null;
  end if;
  until_ms := from_ms + week - (from_ms - monday) % week;
  until_ms := least(until_ms, (select min(p.first_ms) from carillon_partitions() p where p.parent = wanted_parent and p.first_ms > from_ms));
  starts := to_timestamp(from_ms / 1000) at time zone 'utc';
  partition_name := wanted_parent || to_char(starts, case when (from_ms - monday) % week = 0 then '_YYYYMMDD' else '_YYYYMMDD_HH24MISS' end);
  -- In notifications and deliveries, the one update a row gets (its end) stays on its page and touches no index.
  execute format('create table %1$I.%2$I (like %1$I.%3$I including all) with (fillfactor = %4$s)',
    current_schema(), partition_name, wanted_parent, case when wanted_parent in ('notifications', 'deliveries') then 85 else 100 end);
  execute format('alter table %1$I.%2$I attach partition %1$I.%3$I for values from (%4$L) to (%5$L)', current_schema(), wanted_parent, partition_name,
    (lpad(to_hex(from_ms), 12, '0') || repeat('0', 20))::uuid, (lpad(to_hex(until_ms), 12, '0') || repeat('0', 20))::uuid);
  return partition_name;
end
$$;

-- The same for all tables, in one transaction: for people, and for processes of older versions. Returns how many were made.
drop function carillon_make_partitions(integer);
create function carillon_make_partitions(weeks_ahead integer default 4, at timestamptz default now()) returns integer
language plpgsql security definer set search_path from current as $$
declare
  parent text;
  made integer := 0;
begin
  foreach parent in array array['notifications', 'deliveries', 'attempts', 'decisions'] loop
    while carillon_make_partition(parent, weeks_ahead, at) is not null loop
      made := made + 1;
    end loop;
  end loop;
  return made;
end
$$;

-- Whether a partition holds what must stay: of deliveries, one that is not final; of notifications, one that still has deliveries; of what belongs to
-- deliveries, anything as long as the deliveries of that time are there. Runs as its caller, whose policy sees all rows: row-level security is forced on
-- the owner too. Indexes: due_deliveries_pkey, one probe for each tenant with open deliveries; deliveries_notification_id_tenant_id_id_idx.
create function carillon_partition_in_use(wanted_parent text, from_id uuid, until_id uuid) returns boolean
language plpgsql set search_path from current as $$
begin
  if wanted_parent = 'deliveries' then
    return exists (
      with recursive walk(tenant_id) as (
        (select q.tenant_id from due_deliveries q order by q.tenant_id limit 1)
        union all
        select (select q.tenant_id from due_deliveries q where q.tenant_id > w.tenant_id order by q.tenant_id limit 1) from walk w where w.tenant_id is not null
      )
      select from walk w
      where exists (select from due_deliveries q where q.tenant_id = w.tenant_id and q.delivery_id >= from_id and q.delivery_id < until_id));
  end if;
  if wanted_parent = 'notifications' then
    return exists (select from deliveries d where d.notification_id >= from_id and d.notification_id < until_id);
  end if;
  return exists (select from carillon_partitions() p where p.parent = 'deliveries' and p.first_id < until_id and p.end_id > from_id);
end
$$;

-- Only owners may drop. Nothing that ended less than a week before this one is dropped: carillon_make_partition would make it again.
create function carillon_drop_old_partition(wanted text) returns void
language plpgsql security definer set search_path from current set lock_timeout = '100ms' as $$
declare
  found record;
begin
  select * into strict found from carillon_partitions() p where p.name = wanted and p.end_ms <= (extract(epoch from now()) * 1000)::bigint - 1209600000;
  execute format('alter table %1$I.%2$I detach partition %1$I.%3$I', current_schema(), found.parent, found.name);
  execute format('drop table %I.%I', current_schema(), found.name);
end
$$;

-- Drops the oldest partition of one table that ended before `before` and holds nothing that must stay; returns its name, or null when there is none.
--
-- Dropping needs ACCESS EXCLUSIVE on the table, and everything else waits behind whoever waits for that: hence the short time-out, one partition in
-- each transaction, and no other lock in hand. It is looked into once more under the lock: a dead letter may have been replayed meanwhile.
create function carillon_drop_partition(wanted_parent text, before timestamptz) returns text
language plpgsql set search_path from current set lock_timeout = '100ms' as $$
declare
  candidate record;
begin
  -- Somebody else is at this table, and goes on until nothing is left to do.
  if not pg_try_advisory_xact_lock(hashtext('carillon_partitions ' || wanted_parent)) then
    return null;
  end if;
  for candidate in
    select * from carillon_partitions() p
    where p.parent = wanted_parent and p.end_ms <= (extract(epoch from least(before, now() - interval '14 days')) * 1000)::bigint
    order by p.first_ms
  loop
    continue when carillon_partition_in_use(wanted_parent, candidate.first_id, candidate.end_id);
    execute format('lock table only %I in access exclusive mode', wanted_parent);
    if carillon_partition_in_use(wanted_parent, candidate.first_id, candidate.end_id) then
      return null;
    end if;
    perform carillon_drop_old_partition(candidate.name);
    return candidate.name;
  end loop;
  return null;
end
$$;

revoke execute on function carillon_make_partition(text, integer, timestamptz), carillon_make_partitions(integer, timestamptz),
  carillon_drop_old_partition(text), carillon_drop_partition(text, timestamptz) from public;
grant execute on function carillon_make_partition(text, integer, timestamptz), carillon_make_partitions(integer, timestamptz),
  carillon_drop_old_partition(text), carillon_drop_partition(text, timestamptz) to carillon_platform;
