-- The index of claims leaves out deliveries that are blocked by their ordering key, so that tenants that have nothing else are not looked at.
--
-- Being partial, it is no candidate for looking a delivery up by its key either. PostgreSQL 18 can search an index by its third column (skip scan), and
-- in an empty table that costs as much as the primary key: statements planned while the queue was empty went through all due rows of a tenant for each
-- delivery, until the table was analyzed again.
drop index due_deliveries_claim_idx;
create index due_deliveries_claim_idx on due_deliveries (channel, lane, tenant_id, due_at) where due_at < 'infinity';
