-- Every tenant has a test tenant, which owns the data of its test keys.
alter table tenants add column test_of uuid unique references tenants (id) on delete cascade;

-- The tables belong to the migrating role, which sees no rows of them while row-level security is forced.
alter table tenants no force row level security;
alter table api_keys no force row level security;

-- The id is a UUIDv7 of the time at which the tenant was created.
insert into tenants (id, name, status, settings, created_at, updated_at, test_of)
select overlay(overlay(replace(gen_random_uuid()::text, '-', '')
                 placing lpad(to_hex(floor(extract(epoch from t.created_at) * 1000)::bigint), 12, '0') from 1 for 12)
         placing '7' from 13 for 1)::uuid,
       t.name, t.status, t.settings, t.created_at, t.updated_at, t.id
from tenants t;

-- Rows that test keys have written stay with the live tenant.
update api_keys k set tenant_id = t.id from tenants t where t.test_of = k.tenant_id and k.mode = 'test';

alter table tenants force row level security;
alter table api_keys force row level security;
