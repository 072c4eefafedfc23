-- What providers that fail, answer late and call back need: fail-over and pace in the hot table, categories with a policy, the
-- suppression list, receipts that came too early, and how each account does.

-- The accounts that refused this delivery since its last retry, so that the next try goes elsewhere; and whether the pace of its
-- account has been paid.
alter table due_deliveries add column passed_accounts uuid[];
alter table due_deliveries add column paced boolean not null default false;

alter table provider_accounts add column pace_per_second real check (pace_per_second > 0);
-- Vendors call back with the id alone.
create unique index provider_accounts_id_key on provider_accounts (id);

-- How an account does, as the last worker to notice a change saw it.
create table provider_account_health (
  tenant_id uuid not null,
  account_id uuid not null,
  breaker text not null check (breaker in ('closed', 'half_open', 'open')),
  -- What it last refused with in a way that is its own fault; null when it works.
  code text,
  detail text,
  since timestamptz not null default now(),
  primary key (tenant_id, account_id),
  foreign key (tenant_id, account_id) references provider_accounts (tenant_id, id) on delete cascade
);
create index provider_account_health_open_idx on provider_account_health (since) where breaker <> 'closed';

-- When the next send of an account may begin (a token bucket of one, kept by its next free moment). Lost with a crash of the
-- database, which costs a vendor one burst of a second.
create unlogged table account_paces (
  tenant_id uuid not null,
  account_id uuid not null,
  next_at timestamptz not null,
  primary key (tenant_id, account_id)
);

-- What a recipient can say yes or no to, and how it is treated.
create table categories (
  tenant_id uuid not null references tenants (id) on delete cascade,
  key text not null,
  name text not null,
  default_enabled boolean not null default true,
  mandatory boolean not null default false,
  unknown_outcome text check (unknown_outcome in ('resend', 'hold')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, key)
);

-- {"news": {"enabled": false, "channels": {"email": true}}}
alter table preferences add column categories jsonb not null default '{}';

-- Addresses that nothing is sent to, in the form in which the channel compares them.
create table suppressions (
  tenant_id uuid not null references tenants (id) on delete cascade,
  id uuid not null,
  channel text not null,
  address text not null,
  reason text not null check (reason in ('bounced', 'complained', 'unsubscribed', 'bad_address', 'manual')),
  detail text,
  -- The delivery that taught it, where one did.
  delivery_id uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  primary key (tenant_id, id)
);
create unique index suppressions_tenant_id_channel_address_key on suppressions (tenant_id, channel, address);

-- Receipts that came before the record of their send was committed. Tried again until it is, or until they are an hour old.
create table parked_receipts (
  tenant_id uuid not null,
  id uuid not null,
  delivery_id uuid not null,
  kind text not null,
  detail text,
  suppress text,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index parked_receipts_created_at_idx on parked_receipts (created_at);

-- Where a tenant hears what happens. Its events become deliveries of the webhook channel, one notification for each event and
-- endpoint.
create table webhook_endpoints (
  tenant_id uuid not null references tenants (id) on delete cascade,
  id uuid not null,
  url text not null,
  events text[] not null,
  description text,
  -- One at a time for each recipient.
  ordered boolean not null default false,
  enabled boolean not null default true,
  -- 'gone' (410) or 'failing' (five days of failures only) when it was not a person.
  disabled_reason text,
  failing_since timestamptz,
  secret_sealed text not null,
  old_secret_sealed text,
  old_secret_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

alter table notifications add column endpoint_id uuid;
alter table deliveries add column endpoint_id uuid;
create index deliveries_tenant_id_endpoint_id_id_idx on deliveries (tenant_id, endpoint_id, id) where endpoint_id is not null;

-- What endpoints were told of a person, to be erased with them.
create index notifications_event_recipient_idx on notifications (tenant_id, (payload->'data'->>'recipient_id')) where endpoint_id is not null;

-- Who still has to take an event: the broker's relay, the webhooks' fan-out. `kept` stays for a week, so that an endpoint can be
-- told what it missed.
alter table events add column broker boolean not null default true;
alter table events add column webhooks boolean not null default false;
alter table events add column kept boolean not null default false;
drop index events_seq_idx;
create index events_broker_idx on events (seq) where broker;
create index events_webhooks_idx on events (seq) where webhooks;
create index events_kept_idx on events (tenant_id, created_at) where kept;

select carillon_protect(t::regclass) from unnest(array[
  'provider_account_health', 'account_paces', 'categories', 'suppressions', 'parked_receipts', 'webhook_endpoints'
]) as t;
