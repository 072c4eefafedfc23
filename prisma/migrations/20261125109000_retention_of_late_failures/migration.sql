-- A dead letter's age counts from the failure, not from acceptance: a delivery that was scheduled far ahead may fail when its partition is already past
-- the retention. Its partition stays until the letter is deleted, so that the letter can be read and replayed until then.

create or replace function carillon_partition_in_use(wanted_parent text, from_id uuid, until_id uuid) returns boolean
language plpgsql as $$
begin
  if wanted_parent = 'deliveries' then
    return exists (
      with recursive walk(tenant_id) as (
        (select q.tenant_id from due_deliveries q order by q.tenant_id limit 1)
        union all
        select (select q.tenant_id from due_deliveries q where q.tenant_id > w.tenant_id order by q.tenant_id limit 1) from walk w where w.tenant_id is not null
      )
      select from walk w
      where exists (select from due_deliveries q where q.tenant_id = w.tenant_id and q.delivery_id >= from_id and q.delivery_id < until_id)
    ) or exists (
      -- Index: dead_letters_tenant_id_delivery_id_idx, one probe for each tenant with letters.
      with recursive walk(tenant_id) as (
        (select l.tenant_id from dead_letters l order by l.tenant_id limit 1)
        union all
        select (select l.tenant_id from dead_letters l where l.tenant_id > w.tenant_id order by l.tenant_id limit 1) from walk w where w.tenant_id is not null
      )
      select from walk w
      where exists (select from dead_letters l where l.tenant_id = w.tenant_id and l.delivery_id >= from_id and l.delivery_id < until_id));
  end if;
  if wanted_parent = 'notifications' then
    return exists (select from deliveries d where d.notification_id >= from_id and d.notification_id < until_id);
  end if;
  return exists (select from carillon_partitions() p where p.parent = 'deliveries' and p.first_id < until_id and p.end_id > from_id);
end
$$;

-- As in 20261125108000_search_path: replacing the function has reset it.
do $$
begin
  execute format('alter function carillon_partition_in_use(text, uuid, uuid) set search_path = %I, pg_temp', current_schema());
end
$$;
