-- A vendor's token whose signature does not cover the body of the call is bound to the first report that came with it.
-- Null for inbox tokens.
alter table used_tokens add column digest text;

-- The platform has provider accounts, but no row in tenants. Rows are deleted when they expire, after a day at most.
alter table used_tokens drop constraint used_tokens_tenant_id_fkey;
