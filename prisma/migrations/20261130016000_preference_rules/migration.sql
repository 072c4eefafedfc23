-- The rules of a tenant for the preferences of all its recipients, at most one row per tenant. Both columns have the
-- form of preferences: {"channels": {"sms": false}, "categories": {"news": {"enabled": true, "channels": {...}}}}.
create table preference_rules (
  tenant_id uuid not null references tenants (id) on delete cascade,
  -- Apply where the recipient has not chosen.
  defaults jsonb not null default '{}',
  -- Apply whatever the recipient has chosen.
  enforced jsonb not null default '{}',
  updated_at timestamptz not null default now(),
  primary key (tenant_id)
);
select carillon_protect('preference_rules');
