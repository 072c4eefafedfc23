-- Of the deliveries of one tenant with the same ordering key only one, the head, can be claimed. All others are blocked: their
-- due_at is infinity, so that a claim, which reads due_at from the oldest on, never meets them (docs/adr/0017).

-- While a delivery is blocked: the due_at it gets when it becomes the head, if that is still to come.
alter table due_deliveries add column not_before timestamptz;

-- Rows from before: of each key the one that a worker holds stays claimable, or else the oldest.
update due_deliveries d set not_before = d.due_at, due_at = 'infinity', reason = 'ordering'
from (
  select distinct on (tenant_id, ordering_key) tenant_id, ordering_key, delivery_id
  from due_deliveries where ordering_key is not null
  order by tenant_id, ordering_key, (sending or claim_id is not null) desc, delivery_id
) head
where d.tenant_id = head.tenant_id and d.ordering_key = head.ordering_key and d.delivery_id <> head.delivery_id;

-- Finds the head of a key among any number of blocked rows, and refuses a second one.
create unique index due_deliveries_head_idx on due_deliveries (tenant_id, ordering_key) where ordering_key is not null and due_at < 'infinity';

-- Blocked rows may be past their expiry in any number; they end when they become the head.
drop index due_deliveries_expiry_idx;
create index due_deliveries_expiry_idx on due_deliveries (tenant_id, expires_at) where expires_at is not null and due_at < 'infinity';

-- Which of the 256 advisory locks of this class guards an ordering key. With locks instead of one row per key there is nothing to
-- clean up; 256 keep a batch of thousands of keys far below max_locks_per_transaction.
create function carillon_ordering_lock(tenant uuid, ordering_key text) returns integer
language sql immutable strict parallel safe as $$
  select hashtext(tenant::text || ordering_key) & 255
$$;

-- Takes these locks until the end of the transaction, in order, so that two batches queue up instead of deadlocking. A statement that
-- adds or removes several rows with ordering keys, or a row that may be blocked, calls it first. Returns true.
create function carillon_lock_ordering_keys(locks integer[]) returns boolean
language plpgsql strict as $$
begin
  perform pg_advisory_xact_lock(hashtext('carillon_ordering'), wanted.lock)
  from (select distinct unnest(locks) as lock order by 1) wanted;
  return true;
end
$$;

-- Both triggers take the lock of the key in a statement of their own. The next statement's snapshot (READ COMMITTED) is younger than
-- the lock, so it sees what every earlier holder of the lock has committed. That is what keeps an accept, which still sees the old head, and a
-- record, which does not yet see the new row, from leaving a key without a head.

-- A new row is blocked when its key has a row already.
create function carillon_block_behind_head() returns trigger
language plpgsql as $$
begin
  perform carillon_lock_ordering_keys(array[carillon_ordering_lock(new.tenant_id, new.ordering_key)]);
  if exists (select from due_deliveries d where d.tenant_id = new.tenant_id and d.ordering_key = new.ordering_key) then
    new.not_before := new.due_at;
    new.due_at := 'infinity';
    new.reason := 'ordering';
  end if;
  return new;
end
$$;
create trigger block_behind_head before insert on due_deliveries
  for each row when (new.ordering_key is not null) execute function carillon_block_behind_head();

-- When the head of a key is gone, the oldest blocked row becomes the head: once for each key of a statement, because whoever looks for the
-- oldest row passes by all that the statement has deleted. Indexes: due_deliveries_head_idx, due_deliveries_ordering_idx.
create function carillon_unblock_next() returns trigger
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
  return null;
end
$$;
create trigger unblock_next after delete on due_deliveries
  referencing old table as gone for each statement execute function carillon_unblock_next();
