-- After the erasure of a recipient, the suppression list keeps a keyed hash of their addresses instead of the addresses
-- (docs/erasure.md).

-- HMAC-SHA256 (RFC 2104). pads: the key, padded to 64 bytes, XOR the inner pad and XOR the outer pad, 128 bytes in all.
-- The API and the workers pass it: the database has the key only sealed. The tenant is part of the text, so that the
-- same address has another hash at another tenant.
create function carillon_hashed_address(pads bytea, tenant uuid, address text) returns text
language sql immutable strict parallel safe as $$
  select 'hmac:' || encode(
    sha256(substring(pads from 65) || sha256(substring(pads for 64) || convert_to(tenant::text || ' ' || address, 'UTF8'))),
    'hex')
$$;

-- Whether the suppression list of the tenant has hashed addresses: deliveries of other tenants do not look for them.
alter table tenants add column has_hashed_suppressions boolean not null default false;
