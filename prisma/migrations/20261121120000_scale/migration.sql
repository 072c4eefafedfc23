-- What growing to Kafka and Redis needs: messages keyed by recipient, events from the transaction that makes them true, and a
-- place for messages nobody can read.

-- Deliveries with the same key stay in order on their way through a broker: the hash of the ordering key, or of the recipient.
alter table due_deliveries add column message_key integer not null default 0;

-- The W3C trace context of the request: it stays with the row, so that it outlives holds and retries.
alter table due_deliveries add column traceparent text;

-- What happened, written in the commit in which it happened, and deleted when the broker has it. `seq` is given inside the
-- commit: of two events of which one led to the other, the later has the higher one.
create table events (
  tenant_id uuid not null,
  id uuid not null default gen_random_uuid(),
  seq bigint generated always as identity,
  type text not null,
  recipient_id text,
  subject text not null,
  data jsonb not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, seq)
) with (
  -- Inserted once, deleted moments later.
  autovacuum_vacuum_scale_factor = 0.0,
  autovacuum_vacuum_threshold = 20000,
  autovacuum_vacuum_cost_delay = 0
);
-- The relay takes all tenants' events in the order in which they were written.
create index events_seq_idx on events (seq);

-- Messages that no consumer could take, as they came. A message that does not say whose it is belongs to the platform (the nil
-- UUID); the same place in a topic is noted once.
create table poison_messages (
  tenant_id uuid not null default '00000000-0000-0000-0000-000000000000',
  topic text not null,
  "partition" integer not null,
  "offset" bigint not null,
  key bytea,
  -- The first 64 kB.
  value bytea,
  reason text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, topic, "partition", "offset")
);
create index poison_messages_created_at_idx on poison_messages (created_at);

select carillon_protect(t::regclass) from unnest(array['events', 'poison_messages']) as t;
