-- What keeps the planner from looking a row up by walking all rows of its tenant.
--
-- While a partition is small, an index that begins with tenant_id and has id further on costs as much as the primary key, and a
-- plan is kept for as long as its connection lives: looked up by (tenant_id, id) through (tenant_id, notification_id, id), each row of a
-- growing flood cost a walk over the flood. An index that begins with another column is no candidate for such a look-up.
create index notifications_recipient_id_tenant_id_id_idx on notifications (recipient_id, tenant_id, id);
drop index notifications_tenant_id_recipient_id_id_idx;
create index deliveries_notification_id_tenant_id_id_idx on deliveries (notification_id, tenant_id, id);
drop index deliveries_tenant_id_notification_id_id_idx;

-- Brings the statistics of one table that has doubled since they were taken, and with that new plans for everybody. Autovacuum does the same once a
-- minute; a flood into a table that was small a moment ago cannot wait for that. A table of more than 16,384 pages (128 MB) is left to it: there the choice of
-- an index is clear, and sampling takes its time. Returns the table, or null when none has grown. security definer: only owners may analyze.
create function carillon_analyze_grown() returns text
language plpgsql security definer set search_path from current as $$
declare
  grown regclass;
begin
  if not pg_try_advisory_xact_lock(hashtext('carillon_analyze_grown')) then
    return null;
  end if;
  select c.oid into grown
  from pg_class c cross join lateral (select pg_relation_size(c.oid) / current_setting('block_size')::integer as pages) size
  where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace and c.relowner = current_user::regrole
    and size.pages between greatest(16, 2 * c.relpages) and 16384
  order by size.pages desc limit 1;
  if grown is not null then
    execute format('analyze (skip_locked) %s', grown);
  end if;
  return grown::text;
end
$$;
revoke execute on function carillon_analyze_grown() from public;
grant execute on function carillon_analyze_grown() to carillon_platform;
