-- Keys with all other scopes were created without a choice of scopes: they have all, as in
-- 20261130019000_scopes_of_audience.
alter table api_keys no force row level security;
update api_keys set scopes = scopes || '{dead_letters:write,dead_letters:read}'::text[]
where scopes @> '{notifications:write,notifications:read,recipients:write,recipients:read,templates:write,
                  templates:read,provider_accounts:write,provider_accounts:read,inbox:write,inbox:read,categories:write,
                  categories:read,suppressions:write,suppressions:read,webhooks:write,webhooks:read,mailbox:write,
                  mailbox:read,topics:write,topics:read,schedules:write,schedules:read,preferences:write}'::text[]
  and not scopes && '{dead_letters:write,dead_letters:read}'::text[];
alter table api_keys force row level security;
