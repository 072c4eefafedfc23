-- Addresses and CIDR ranges from which a key may be used; empty for all addresses.
alter table api_keys add column allowed_ips text[] not null default '{}';
