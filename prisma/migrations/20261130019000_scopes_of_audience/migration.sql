-- Keys that had all scopes of the previous release were created without a choice of scopes: they have all, as in
-- 20261130013100_topics, which has given them those for topics.
alter table api_keys no force row level security;
update api_keys set scopes = scopes || '{schedules:write,schedules:read,preferences:write}'::text[]
where scopes @> '{notifications:write,notifications:read,recipients:write,recipients:read,templates:write,
                  templates:read,provider_accounts:write,provider_accounts:read,inbox:write,inbox:read,categories:write,
                  categories:read,suppressions:write,suppressions:read,webhooks:write,webhooks:read,mailbox:write,
                  mailbox:read,topics:write,topics:read}'::text[]
  and not scopes && '{schedules:write,schedules:read,preferences:write}'::text[];
alter table api_keys force row level security;
