-- Sessions of the console. A session of an API key belongs to the tenant of the key's data; that of an operator has the
-- nil UUID. Only the digest of the token is stored.
create table console_sessions (
  tenant_id uuid not null,
  id uuid not null,
  -- SHA-256 of the token in the cookie, base64url.
  token_hash text not null,
  kind text not null check (kind in ('api_key', 'operator_token', 'oidc')),
  name text not null,
  role text check (role in ('viewer', 'operator', 'admin')),
  key_id text,
  -- Of the operator's token, or of the settings of OIDC: the session ends when they change.
  credential_hash bytea,
  created_at timestamptz not null default now(),
  used_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (tenant_id, id),
  check ((kind = 'api_key') = (key_id is not null)),
  check ((kind = 'api_key') = (role is null)),
  check ((kind = 'api_key') = (credential_hash is null))
);
select carillon_protect('console_sessions');
revoke all on console_sessions from carillon_tenant;

-- For each request with a cookie.
create unique index console_sessions_token_hash_key on console_sessions (token_hash);
-- For the clean-up.
create index console_sessions_expires_at_idx on console_sessions (expires_at);
