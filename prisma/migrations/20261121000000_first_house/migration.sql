-- The first house: tenants, audience, templates, providers, the path of a delivery, the inbox.
--
-- Conventions every table here follows (docs/adr/0002-row-level-security.md; a catalogue test holds them):
--   * tenant_id leads every primary key and index, foreign keys are composite, so a row cannot point into another tenant;
--   * row-level security is enabled and forced, with one policy per role, made by carillon_protect() below;
--   * ids are UUIDv7 made by the application, so that Postgres 15 to 18 behave alike.

-- Roles are cluster-wide, a database may not be: another database on this server may have made them already.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['carillon_tenant', 'carillon_platform'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      begin
        execute format('create role %I nologin', wanted);
      exception
        when duplicate_object or unique_violation then null;
      end;
    end if;
  end loop;
end
$$;

-- The login role of the application switches into these two and never works as itself. Where somebody else made them and
-- granted them already, there is nothing to grant. (Since 16 a role's maker is its member, but may not switch into it.)
do $$
declare
  may_switch text := case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
begin
  if not pg_has_role(current_user, 'carillon_tenant', may_switch) or not pg_has_role(current_user, 'carillon_platform', may_switch) then
    execute format('grant carillon_tenant, carillon_platform to %I', current_user);
  end if;
end
$$;

-- Walls off one table: grants, forced row-level security, and the two policies. A future table calls it in its own migration.
-- current_setting() is asked without the missing-ok flag: a query that forgot its tenant is an error, never an empty answer.
create function carillon_protect(wanted regclass, tenant_column name default 'tenant_id') returns void
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', wanted);
  execute format('alter table %s force row level security', wanted);
  execute format('grant select, insert, update, delete on %s to carillon_tenant, carillon_platform', wanted);
  execute format(
    'create policy tenant_rows on %s for all to carillon_tenant using (%I = current_setting(''app.tenant_id'')::uuid) with check (%I = current_setting(''app.tenant_id'')::uuid)',
    wanted, tenant_column, tenant_column);
  execute format('create policy platform_rows on %s for all to carillon_platform using (true) with check (true)', wanted);
end
$$;

-- ---------------------------------------------------------------- tenants

create table tenants (
  id uuid primary key,
  name text not null,
  status text not null default 'active' check (status in ('active', 'suspended')),
  settings jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table api_keys (
  tenant_id uuid not null references tenants (id) on delete cascade,
  id uuid not null,
  -- The clear-text half of the key: what a request is looked up by and what logs may show.
  key_id text not null,
  secret_hash bytea not null,
  name text not null,
  mode text not null check (mode in ('live', 'test')),
  scopes text[] not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  primary key (tenant_id, id)
);
-- The only index that does not lead with the tenant: the tenant is what it is asked for.
create unique index api_keys_key_id_key on api_keys (key_id);

-- ---------------------------------------------------------------- audience

create table recipients (
  tenant_id uuid not null references tenants (id) on delete cascade,
  id text not null,
  email text,
  phone text,
  locale text,
  timezone text,
  attributes jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

create table devices (
  tenant_id uuid not null,
  recipient_id text not null,
  token text not null,
  platform text not null check (platform in ('ios', 'android', 'web')),
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  primary key (tenant_id, recipient_id, token),
  foreign key (tenant_id, recipient_id) references recipients (tenant_id, id) on delete cascade
);

-- No foreign key: somebody without a stored profile (in-app only) may have preferences too.
create table preferences (
  tenant_id uuid not null references tenants (id) on delete cascade,
  recipient_id text not null,
  channels jsonb not null default '{}',
  updated_at timestamptz not null default now(),
  primary key (tenant_id, recipient_id)
);

-- ---------------------------------------------------------------- templates

create table templates (
  tenant_id uuid not null references tenants (id) on delete cascade,
  id uuid not null,
  key text not null,
  channel text not null,
  locale text not null,
  version integer not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
create unique index templates_tenant_id_key_channel_locale_key on templates (tenant_id, key, channel, locale);

create table template_versions (
  tenant_id uuid not null,
  template_id uuid not null,
  version integer not null,
  content jsonb not null,
  sample_payload jsonb,
  created_at timestamptz not null default now(),
  primary key (tenant_id, template_id, version),
  foreign key (tenant_id, template_id) references templates (tenant_id, id) on delete cascade
);

-- ---------------------------------------------------------------- providers

-- The platform's own accounts carry the nil UUID as tenant (there is no such row in tenants, hence no foreign key).
create table provider_accounts (
  tenant_id uuid not null,
  id uuid not null,
  name text not null,
  provider text not null,
  channel text not null,
  credentials_sealed text not null,
  credentials_masked jsonb not null,
  position integer not null default 0,
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, id)
);
create unique index provider_accounts_tenant_id_name_key on provider_accounts (tenant_id, name);

-- What the sandbox took, instead of a vendor.
create table mailbox_messages (
  tenant_id uuid not null references tenants (id) on delete cascade,
  id uuid not null,
  channel text not null,
  recipient_address text not null,
  delivery_id uuid not null,
  notification_id uuid not null,
  message jsonb not null,
  outcome text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

-- ---------------------------------------------------------------- the path of a delivery

create table notifications (
  tenant_id uuid not null,
  id uuid not null,
  recipient_id text,
  type text,
  category text not null,
  channels text[] not null,
  template_id text,
  content jsonb,
  payload jsonb,
  priority smallint not null,
  test boolean not null default false,
  ordering_key text,
  metadata jsonb,
  scheduled_at timestamptz,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  -- Kept by increments in the transaction that ends a delivery, so that nobody ever counts a million rows.
  total integer not null,
  succeeded integer not null default 0,
  failed integer not null default 0,
  suppressed integer not null default 0,
  cancelled integer not null default 0,
  -- Null while a delivery is not final; 'pending' or 'active' is then told by due_deliveries.
  final_status text generated always as (
    case
      when succeeded + failed + suppressed + cancelled < total then null
      when failed > 0 then 'failed'
      when succeeded > 0 then 'sent'
      when cancelled > 0 then 'cancelled'
      else 'suppressed'
    end
  ) stored,
  primary key (tenant_id, id)
) partition by range (id);
create index notifications_tenant_id_recipient_id_id_idx on notifications (tenant_id, recipient_id, id);

create table deliveries (
  tenant_id uuid not null,
  id uuid not null,
  notification_id uuid not null,
  recipient_id text not null,
  channel text not null,
  address text,
  -- 'waiting' until final: what moves while a delivery is under way is in due_deliveries.
  state text not null default 'waiting',
  reason text,
  template_version integer,
  attempts smallint not null default 0,
  provider text,
  provider_account_id uuid,
  provider_message_id text,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  delivered_at timestamptz,
  complained_at timestamptz,
  opened_at timestamptz,
  primary key (tenant_id, id)
) partition by range (id);
create index deliveries_tenant_id_notification_id_id_idx on deliveries (tenant_id, notification_id, id);

-- One row exactly while a delivery is not final. due_at is the next moment anybody may look at it (docs/adr/0001).
create table due_deliveries (
  tenant_id uuid not null,
  delivery_id uuid not null,
  channel text not null,
  lane smallint not null,
  due_at timestamptz not null,
  reason text,
  expires_at timestamptz,
  claim_id uuid,
  claims smallint not null default 0,
  attempt smallint not null default 0,
  retries real not null default 0,
  sending boolean not null default false,
  limit_taken boolean not null default false,
  ordering_key text,
  primary key (tenant_id, delivery_id)
) with (
  -- Hot and small: every row is inserted, touched a few times and deleted within seconds. Leave room for HOT updates
  -- (intent changes no indexed column) and let autovacuum come by row count, not by share of the table.
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.0,
  autovacuum_vacuum_threshold = 20000,
  autovacuum_vacuum_insert_scale_factor = 0.0,
  autovacuum_vacuum_insert_threshold = 100000,
  autovacuum_analyze_scale_factor = 0.0,
  autovacuum_analyze_threshold = 50000,
  autovacuum_vacuum_cost_delay = 0
);
create index due_deliveries_claim_idx on due_deliveries (channel, lane, tenant_id, due_at);
create index due_deliveries_ordering_idx on due_deliveries (tenant_id, ordering_key, delivery_id) where ordering_key is not null;

-- Partitioned by its delivery's id: the attempts of a delivery live and leave with it.
create table attempts (
  tenant_id uuid not null,
  delivery_id uuid not null,
  number smallint not null,
  provider text,
  provider_account_id uuid,
  outcome text not null,
  code text,
  detail text,
  provider_message_id text,
  duration_ms integer not null default 0,
  ended_at timestamptz not null default now(),
  primary key (tenant_id, delivery_id, number)
) partition by range (delivery_id);

-- The rest of a delivery's timeline: holds, refusals, cancellation, replay, receipts. Most deliveries have none.
create table decisions (
  tenant_id uuid not null,
  delivery_id uuid not null,
  id uuid not null,
  code text not null,
  reason text,
  detail text,
  until timestamptz,
  created_at timestamptz not null default now(),
  primary key (tenant_id, delivery_id, id)
) partition by range (delivery_id);

create table idempotency_keys (
  tenant_id uuid not null,
  key text not null,
  body_hash bytea not null,
  -- A send keeps only the id: its first answer is rebuilt from columns that never change. Anything else keeps the answer.
  notification_id uuid,
  response jsonb,
  created_at timestamptz not null default now(),
  primary key (tenant_id, key)
);
create index idempotency_keys_created_at_idx on idempotency_keys using brin (created_at);

create table dead_letters (
  tenant_id uuid not null,
  id uuid not null,
  delivery_id uuid not null,
  notification_id uuid not null,
  recipient_id text not null,
  channel text not null,
  provider text,
  reason text not null,
  code text,
  detail text,
  attempts smallint not null,
  failed_at timestamptz not null default now(),
  replayed_at timestamptz,
  primary key (tenant_id, id)
);
create index dead_letters_tenant_id_delivery_id_idx on dead_letters (tenant_id, delivery_id);
-- The operator's list is over all tenants, newest first.
create index dead_letters_id_idx on dead_letters (id);

-- Hits per recipient and channel. Unlogged: after a crash of the database itself the windows start empty, which is
-- cheaper than a flushed write per delivery.
create unlogged table rate_windows (
  tenant_id uuid not null,
  key text not null,
  hits timestamptz[] not null,
  window_seconds integer not null,
  max_hits integer not null,
  granted integer not null,
  expires_at timestamptz not null,
  primary key (tenant_id, key)
);

-- ---------------------------------------------------------------- inbox

create table inbox_counters (
  tenant_id uuid not null,
  recipient_id text not null,
  last_seq bigint not null default 0,
  total integer not null default 0,
  unread integer not null default 0,
  unseen integer not null default 0,
  primary key (tenant_id, recipient_id)
) with (fillfactor = 80);

create table inbox_items (
  tenant_id uuid not null,
  recipient_id text not null,
  seq bigint not null,
  id uuid not null,
  category text not null,
  title text not null,
  body text not null,
  action_url text,
  data jsonb,
  created_at timestamptz not null default now(),
  seen_at timestamptz,
  read_at timestamptz,
  archived_at timestamptz,
  primary key (tenant_id, recipient_id, seq)
);
create unique index inbox_items_tenant_id_id_key on inbox_items (tenant_id, id);
create index inbox_items_unread_idx on inbox_items (tenant_id, recipient_id, seq) where read_at is null and archived_at is null;

-- Inbox tokens that came in a URL are good once.
create table used_tokens (
  tenant_id uuid not null references tenants (id) on delete cascade,
  jti text not null,
  expires_at timestamptz not null,
  primary key (tenant_id, jti)
);

create table audit_log (
  tenant_id uuid not null,
  id uuid not null,
  action text not null,
  detail jsonb not null default '{}',
  request_id text,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

-- ---------------------------------------------------------------- walls

select carillon_protect('tenants', 'id');
select carillon_protect(t::regclass) from unnest(array[
  'api_keys', 'recipients', 'devices', 'preferences', 'templates', 'template_versions', 'provider_accounts', 'mailbox_messages',
  'notifications', 'deliveries', 'due_deliveries', 'attempts', 'decisions', 'idempotency_keys', 'dead_letters', 'rate_windows',
  'inbox_counters', 'inbox_items', 'used_tokens', 'audit_log'
]) as t;

-- The audit log is append-only, and no business of a tenant's connection.
revoke update, delete on audit_log from carillon_tenant, carillon_platform;

-- ---------------------------------------------------------------- partitions

-- Makes the weekly partitions from last week to `weeks_ahead` weeks from now, where they are missing. A UUIDv7 begins with
-- 48 bits of milliseconds since 1970, so the first id of a week is that number and zeros. Called at every start and daily.
-- security definer: the application's roles may not create tables.
create function carillon_make_partitions(weeks_ahead integer default 4) returns integer
language plpgsql security definer set search_path from current as $$
declare
  parent text;
  week timestamptz;
  partition_name text;
  made integer := 0;
  first_id uuid;
  end_id uuid;
begin
  perform pg_advisory_xact_lock(hashtext('carillon_make_partitions'));
  for week in
    select generate_series(date_trunc('week', now() at time zone 'utc') - interval '1 week',
                           date_trunc('week', now() at time zone 'utc') + make_interval(weeks => weeks_ahead), interval '1 week') at time zone 'utc'
  loop
    first_id := (lpad(to_hex((extract(epoch from week) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
    end_id := (lpad(to_hex((extract(epoch from week + interval '7 days') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
    foreach parent in array array['notifications', 'deliveries', 'attempts', 'decisions'] loop
      partition_name := parent || '_' || to_char(week at time zone 'utc', 'YYYYMMDD');
      if to_regclass(partition_name) is null then
        execute format('create table %I partition of %I for values from (%L) to (%L)', partition_name, parent, first_id, end_id);
        if parent in ('notifications', 'deliveries') then
          -- The one update a row gets (its end) stays on its page and touches no index.
          execute format('alter table %I set (fillfactor = 85)', partition_name);
        end if;
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end
$$;
revoke execute on function carillon_make_partitions(integer) from public;
grant execute on function carillon_make_partitions(integer) to carillon_platform;
select carillon_make_partitions();

-- A process must be able to see whether its migrations are there. (A shadow database has no such table.)
do $$
begin
  if to_regclass('_prisma_migrations') is not null then
    grant select on _prisma_migrations to carillon_platform;
  end if;
end
$$;
