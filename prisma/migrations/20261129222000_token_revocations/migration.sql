-- Refuses the tokens of a recipient that were minted before revoked_at. The hash is the SHA-256 of the recipient's id:
-- the row outlives an erasure for the lifetime of a token.
create table token_revocations (
  tenant_id uuid not null references tenants (id) on delete cascade,
  recipient_hash text not null,
  revoked_at timestamptz not null default now(),
  primary key (tenant_id, recipient_hash)
);
-- Processes read the latest revocations of all tenants; the clean-up deletes the oldest.
create index token_revocations_revoked_at_idx on token_revocations (revoked_at);
select carillon_protect('token_revocations');
