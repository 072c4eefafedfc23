create table topics (
  tenant_id uuid not null references tenants (id) on delete cascade,
  id uuid not null,
  key text not null,
  name text not null,
  description text,
  -- Changed in the transaction that changes the subscriptions, so that nothing counts a million rows.
  subscribers integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- The row of a deleted topic stays until a worker has deleted its subscriptions in batches.
  deleted_at timestamptz,
  primary key (tenant_id, id)
);
create unique index topics_tenant_id_key_key on topics (tenant_id, key) where deleted_at is null;
create index topics_deleted_at_idx on topics (deleted_at) where deleted_at is not null;

-- No foreign keys: deleting a topic or a recipient must not delete a million rows in one statement.
create table subscriptions (
  tenant_id uuid not null,
  topic_id uuid not null,
  recipient_id text not null,
  -- The channels that the recipient accepts from this topic; null for all.
  channels text[],
  created_at timestamptz not null default now(),
  primary key (tenant_id, topic_id, recipient_id)
);
-- Does not begin with tenant_id, so that it is no candidate for reading the members of a topic (docs/adr/0015).
create index subscriptions_recipient_id_tenant_id_topic_id_idx on subscriptions (recipient_id, tenant_id, topic_id);

select carillon_protect(t::regclass) from unnest(array['topics', 'subscriptions']) as t;

-- A send to a topic has no recipient. While its job creates deliveries, `total` is one higher than their number, so that
-- the notification is not final before the job has ended.
alter table notifications add column topic text;
create index notifications_topic_tenant_id_id_idx on notifications (topic, tenant_id, id) where topic is not null;

-- True for deliveries of sends to topics: their notification does not lead from a recipient to them.
alter table deliveries add column of_topic boolean;
create index deliveries_of_topic_idx on deliveries (recipient_id, tenant_id, id) where of_topic;

-- Keys that had all scopes of the previous release were created without a choice of scopes: they have all.
alter table api_keys no force row level security;
update api_keys set scopes = scopes || '{topics:write,topics:read}'::text[]
where scopes @> '{notifications:write,notifications:read,recipients:write,recipients:read,templates:write,
                  templates:read,provider_accounts:write,provider_accounts:read,inbox:write,inbox:read,categories:write,
                  categories:read,suppressions:write,suppressions:read,webhooks:write,webhooks:read,mailbox:write,
                  mailbox:read}'::text[]
  and not scopes @> '{topics:write}'::text[];
alter table api_keys force row level security;

-- A notification whose job has not ended stays, although it may have no deliveries yet.
create or replace function carillon_partition_in_use(wanted_parent text, from_id uuid, until_id uuid) returns boolean
language plpgsql as $$
begin
  if wanted_parent = 'deliveries' then
    return exists (
      with recursive walk(tenant_id) as (
        (select q.tenant_id from due_deliveries q order by q.tenant_id limit 1)
        union all
        select (select q.tenant_id from due_deliveries q where q.tenant_id > w.tenant_id order by q.tenant_id limit 1)
        from walk w where w.tenant_id is not null
      )
      select from walk w
      where exists (
        select from due_deliveries q
        where q.tenant_id = w.tenant_id and q.delivery_id >= from_id and q.delivery_id < until_id)
    ) or exists (
      -- Index: dead_letters_tenant_id_delivery_id_idx, one probe for each tenant with letters.
      with recursive walk(tenant_id) as (
        (select l.tenant_id from dead_letters l order by l.tenant_id limit 1)
        union all
        select (select l.tenant_id from dead_letters l where l.tenant_id > w.tenant_id order by l.tenant_id limit 1)
        from walk w where w.tenant_id is not null
      )
      select from walk w
      where exists (
        select from dead_letters l
        where l.tenant_id = w.tenant_id and l.delivery_id >= from_id and l.delivery_id < until_id));
  end if;
  if wanted_parent = 'notifications' then
    return exists (select from deliveries d where d.notification_id >= from_id and d.notification_id < until_id)
      or exists (
        select from jobs j
        where j.finished_at is null and j.notification_id >= from_id and j.notification_id < until_id);
  end if;
  return exists (
    select from carillon_partitions() p where p.parent = 'deliveries' and p.first_id < until_id and p.end_id > from_id);
end
$$;

-- As in 20261125108000_search_path: replacing the function has reset it.
do $$
begin
  execute format('alter function carillon_partition_in_use(text, uuid, uuid) set search_path = %I, pg_temp', current_schema());
end
$$;
