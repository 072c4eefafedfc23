-- Indexes for clean-ups that read whole tables (docs/adr/0016).

-- A BRIN index helps only while a table grows at its end: once the pages of deleted rows are used again, each of its ranges has old and new rows.
create index idempotency_keys_created_at_btree_idx on idempotency_keys (created_at);
drop index idempotency_keys_created_at_idx;
alter index idempotency_keys_created_at_btree_idx rename to idempotency_keys_created_at_idx;

create index used_tokens_expires_at_idx on used_tokens (expires_at);
