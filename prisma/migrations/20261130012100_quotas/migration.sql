-- The deliveries of a tenant with a quota in its current day or month. Once the period has ended, the row has no
-- meaning until the next delivery begins a new period. warned: the highest warning of this period, in percent.
create table quota_usage (
  tenant_id uuid not null references tenants (id) on delete cascade,
  period text not null check (period in ('day', 'month')),
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  used bigint not null,
  warned smallint not null default 0,
  primary key (tenant_id, period)
) with (fillfactor = 50);
select carillon_protect('quota_usage');

-- Counts up to `wanted` deliveries in all periods of a tenant, as many as the fullest of them has left. `starts`: for
-- each period the starts of days or months from the last one on, in the text format of arrays. Returns a row for each
-- period; warning: a threshold in percent that these deliveries have reached first.
create function carillon_take_quota(
  tenant uuid, wanted integer, periods text[], allowed bigint[], starts text[]
) returns table (granted integer, counted text, used bigint, most bigint, ends_at timestamptz, warning smallint)
language plpgsql as $$
declare
  usages quota_usage[];
  usage quota_usage;
  bounds timestamptz[];
  free bigint := wanted;
  place integer;
  level smallint;
begin
  insert into quota_usage (tenant_id, period, starts_at, ends_at, used)
  select tenant, p.period, '-infinity', '-infinity', 0 from unnest(periods) as p(period)
  on conflict do nothing;
  usages := array(
    select u from quota_usage u where u.tenant_id = tenant and u.period = any (periods) order by u.period for update
  );
  for number in 1 .. cardinality(usages) loop
    usage := usages[number];
    place := array_position(periods, usage.period);
    if usage.ends_at <= clock_timestamp() then
      bounds := starts[place]::timestamptz[];
      usage.starts_at := bounds[width_bucket(clock_timestamp(), bounds)];
      usage.ends_at := bounds[width_bucket(clock_timestamp(), bounds) + 1];
      usage.used := 0;
      usage.warned := 0;
      usages[number] := usage;
    end if;
    free := least(free, greatest(0, allowed[place] - usage.used));
  end loop;
  granted := free;
  for number in 1 .. cardinality(usages) loop
    usage := usages[number];
    counted := usage.period;
    most := allowed[array_position(periods, usage.period)];
    used := usage.used + granted;
    ends_at := usage.ends_at;
    level := case when used >= most then 100 when used * 100 >= most * 80 then 80 else 0 end;
    warning := case when level > usage.warned then level end;
    update quota_usage u
    set starts_at = usage.starts_at, ends_at = usage.ends_at, used = usage.used + granted,
        warned = greatest(usage.warned, level)
    where u.tenant_id = tenant and u.period = usage.period;
    return next;
  end loop;
end
$$;
