-- Receipts in batches, and webhooks that take turns.

-- When a receipt proved that a dead delivery was sent: its dead letter is closed and cannot be replayed.
alter table dead_letters add column settled_at timestamptz;

-- Early receipts are tried again with a growing pause, a fair share of each tenant at a time.
alter table parked_receipts add column try_at timestamptz not null default now();
create index parked_receipts_try_at_idx on parked_receipts (tenant_id, try_at);
drop index parked_receipts_created_at_idx;

-- The fan-out to webhooks takes a share of each tenant that has events, in the order of the tenant's events.
create index events_webhooks_tenant_idx on events (tenant_id, seq) where webhooks;
drop index events_webhooks_idx;
