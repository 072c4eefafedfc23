-- Deliveries by the minute or the hour in which they were accepted, counted by workers (docs/statistics.md). The nil UUID
-- has the sums of all tenants. No personal data.
create table delivery_statistics (
  tenant_id uuid not null,
  -- Minutes: 1 or 60.
  span smallint not null,
  at timestamptz not null,
  channel text not null,
  state text not null,
  reason text not null,
  -- The class of the time from accept to send; -1 for a delivery that is not sent.
  latency smallint not null,
  count bigint not null,
  primary key (tenant_id, span, at, channel, state, reason, latency)
);
select carillon_protect('delivery_statistics');
create index delivery_statistics_at_idx on delivery_statistics (span, at);

-- How far each pass of the count has come. Rows of the platform (the nil UUID).
create table statistics_passes (
  tenant_id uuid not null,
  pass smallint not null,
  counted_until timestamptz not null,
  primary key (tenant_id, pass)
) with (fillfactor = 50);
select carillon_protect('statistics_passes');
