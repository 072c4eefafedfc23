-- The answers of idempotent POSTs contain secrets (a new webhook secret, a recipient token), so they are stored sealed.
-- Drops the answers of the last 48 hours, which were stored in clear: a repeated request of that time gets
-- `idempotency_unknown`. Sends store no answer and are not affected.
alter table idempotency_keys add column response_sealed text;
alter table idempotency_keys drop column response;
-- For `npm run rewrap`: nearly all keys belong to sends, which this index does not contain.
create index idempotency_keys_sealed_idx on idempotency_keys (tenant_id, key) where response_sealed is not null;

-- Keys of the platform that must outlive a master key: the key of the API key hashes, the keys that sign recipient tokens and
-- the key that signs unsubscribe links. The first start creates them. tenant_id is always the platform's.
create table platform_keys (
  tenant_id uuid not null default '00000000-0000-0000-0000-000000000000'
    check (tenant_id = '00000000-0000-0000-0000-000000000000'),
  -- <purpose>/<key id>
  id text not null,
  key_sealed text not null,
  created_at timestamptz not null default now(),
  -- From then on it signs nothing; it verifies for an overlap.
  retired_at timestamptz,
  primary key (tenant_id, id)
);
select carillon_protect('platform_keys');
revoke all on platform_keys from carillon_tenant;
