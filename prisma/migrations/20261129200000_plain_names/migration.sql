-- Names that say what they hold: the delivery log, and what a due delivery has used up already.

alter table due_deliveries rename column limit_taken to rate_limit_consumed;
alter table due_deliveries rename column paced to pace_reserved;
alter table due_deliveries rename column passed_accounts to tried_account_ids;

-- The table `decisions`, its partitions, and their indexes with the constraints that these serve. Not-null constraints, which have names
-- since PostgreSQL 18, keep theirs.
do $$
declare
  item record;
begin
  for item in
    select c.oid::regclass as name, c.relname, c.relkind from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relname ~ '^decisions(_|$)' and c.relkind in ('r', 'p', 'i', 'I')
    order by c.relkind, c.relname
  loop
    execute format('alter %s %s rename to %I', case when item.relkind in ('r', 'p') then 'table' else 'index' end, item.name,
      regexp_replace(item.relname, '^decisions', 'delivery_log'));
  end loop;
end
$$;

-- The functions that name it, otherwise as they are.
do $$
declare
  item record;
begin
  for item in
    select pg_get_functiondef(p.oid) as definition from pg_proc p
    where p.pronamespace = current_schema()::regnamespace and p.proname like 'carillon%' and p.prosrc like '%''decisions''%'
  loop
    execute replace(item.definition, '''decisions''', '''delivery_log''');
  end loop;
end
$$;
