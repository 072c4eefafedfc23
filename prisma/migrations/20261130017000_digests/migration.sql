-- Digests (docs/adr/0030): deliveries of one recipient, channel and category that are sent as one message.
--
-- Each delivery of a digest has a row in due_deliveries with its digest_id. One of them, the leader, is due when the
-- digest is. All others wait at infinity, where a claim never reads them, and end with the leader.
create table digests (
  tenant_id uuid not null,
  id uuid not null,
  recipient_id text not null,
  channel text not null,
  category text not null,
  due_at timestamptz not null,
  -- Collected by quiet hours: an item that is alone is sent as itself.
  combined boolean not null,
  -- How many items were ever collected.
  items integer not null,
  -- Later items are collected into another digest.
  closed_at timestamptz,
  primary key (tenant_id, id)
) with (
  -- A row lives as long as its digest waits, so most rows are dead: as for due_deliveries.
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.0,
  autovacuum_vacuum_threshold = 20000,
  autovacuum_analyze_scale_factor = 0.0,
  autovacuum_analyze_threshold = 50000,
  autovacuum_vacuum_cost_delay = 0
);

-- The digest that takes further items.
create unique index digests_open_idx on digests (tenant_id, recipient_id, channel, category) where closed_at is null;

select carillon_protect('digests');

alter table due_deliveries add column digest_id uuid;

-- Refuses a second leader.
create unique index due_deliveries_leader_idx on due_deliveries (tenant_id, digest_id)
  where digest_id is not null and due_at < 'infinity';
create index due_deliveries_digest_idx on due_deliveries (tenant_id, digest_id, delivery_id) where digest_id is not null;

-- Gives a digest a leader after a row of it is gone: the oldest of the others, if the leader is gone, or none if no row
-- is left; then the digest is gone too. The lock of the digest is taken in a statement of its own: the next statement
-- sees the items that an earlier holder of the lock has collected (READ COMMITTED).
create function carillon_lead_digest(tenant uuid, digest uuid) returns void
language plpgsql as $$
declare
  digest_due_at timestamptz;
  next_leader uuid;
begin
  select g.due_at into digest_due_at from digests g where g.tenant_id = tenant and g.id = digest for update;
  perform from due_deliveries d where d.tenant_id = tenant and d.digest_id = digest and d.due_at < 'infinity';
  if found then
    return;
  end if;
  select d.delivery_id into next_leader from due_deliveries d
  where d.tenant_id = tenant and d.digest_id = digest order by d.delivery_id limit 1;
  if next_leader is null then
    delete from digests g where g.tenant_id = tenant and g.id = digest;
    return;
  end if;
  -- The worker of the last leader had them in its message, which is not sent.
  update due_deliveries d set claim_id = null
  where d.tenant_id = tenant and d.digest_id = digest and d.claim_id is not null;
  update due_deliveries d set due_at = greatest(now(), least(digest_due_at, d.expires_at))
  where d.tenant_id = tenant and d.delivery_id = next_leader;
end
$$;

-- As before for ordering keys, and now for digests. Indexes: due_deliveries_head_idx, due_deliveries_ordering_idx,
-- due_deliveries_leader_idx, due_deliveries_digest_idx.
create or replace function carillon_unblock_next() returns trigger
language plpgsql as $$
declare
  key record;
begin
  perform carillon_lock_ordering_keys(array_agg(carillon_ordering_lock(g.tenant_id, g.ordering_key))) from gone g where g.ordering_key is not null;
  for key in select distinct g.tenant_id, g.ordering_key from gone g where g.ordering_key is not null loop
    update due_deliveries d
    set due_at = greatest(now(), d.not_before), reason = case when d.not_before > now() then 'scheduled' end, not_before = null
    where d.tenant_id = key.tenant_id
      and d.delivery_id = (
        select w.delivery_id from due_deliveries w
        where w.tenant_id = key.tenant_id and w.ordering_key = key.ordering_key order by w.delivery_id limit 1)
      and not exists (
        select from due_deliveries h where h.tenant_id = key.tenant_id and h.ordering_key = key.ordering_key and h.due_at < 'infinity');
  end loop;
  perform carillon_lead_digest(g.tenant_id, g.digest_id)
  from (select distinct tenant_id, digest_id from gone where digest_id is not null order by 1, 2) g;
  return null;
end
$$;
