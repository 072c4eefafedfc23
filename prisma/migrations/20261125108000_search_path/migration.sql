-- Functions that run as their owner, and those that they call, look for tables and types in pg_catalog and in the schema of Carillon. Unless a
-- path names pg_temp, it is searched first: a temporary table of the caller would stand for the real one, and what hangs on it would run as the
-- owner. pg_catalog is searched first without being named; named first, it would be where tables are created.
do $$
declare
  bound regprocedure;
begin
  for bound in
    select p.oid from pg_proc p
    where p.pronamespace = current_schema()::regnamespace and p.proname like 'carillon\_%' and p.proconfig::text like '%search_path%'
  loop
    execute format('alter function %s set search_path = %I, pg_temp', bound, current_schema());
  end loop;
end
$$;
