-- Reads that stay cheap among many rows (docs/adr/0023).

-- The first UUIDv7 of the moment so many days after that of `id`: a bound for partitions whose rows are looked up by another row's id.
create function carillon_id_days_after(id uuid, days integer) returns uuid
language sql immutable strict parallel safe as $$
  select (lpad(to_hex(greatest(0, ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint + days * 86400000::bigint)), 12, '0') || repeat('0', 20))::uuid
$$;
