-- What the overview and the gauges show of a long queue, counted in the background (docs/adr/0023). One row, of the platform (the nil UUID).
create table queue_figures (
  tenant_id uuid primary key,
  counted_at timestamptz not null,
  -- When the next count may begin: at the earliest after a second, and after 49 times as long as this one took.
  next_at timestamptz not null,
  channels jsonb not null,
  tenants jsonb not null
) with (fillfactor = 50);
select carillon_protect('queue_figures');

-- The overview counts the dead letters that are still to be dealt with.
create index dead_letters_open_idx on dead_letters (tenant_id, id) where replayed_at is null and settled_at is null;
