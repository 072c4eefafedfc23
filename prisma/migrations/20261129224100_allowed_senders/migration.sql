-- The lists `tenants`, `from` and `channels` of an account of the platform: who may use it, and as whom.
alter table provider_accounts add column allowed jsonb not null default '{}';
