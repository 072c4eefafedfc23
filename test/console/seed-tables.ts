// Everything else that the console lists, in proportion to the deliveries.

import { PLAN_TABLE } from './seed-deliveries.ts';
import type { SeedScope, Statement } from './seed-sessions.ts';

/** Of local times of schedules. */
const LOCAL = `'YYYY-MM-DD"T"HH24:MI:SS'`;

/** $1: the tenant; $2: the number of rows, or of recipients where rows belong to them. */
const PEOPLE = {
  recipients: `
    insert into recipients (tenant_id, id, email, phone, locale, timezone, attributes, created_at)
    select $1, 'user-' || n, 'user-' || n || '@example.com', '+1555' || lpad(n::text, 8, '0'),
           (array['en', 'de', 'fr'])[1 + n % 3], (array['Europe/Berlin', 'America/New_York', 'Asia/Tokyo'])[1 + n % 3],
           jsonb_build_object('plan', (array['free', 'pro'])[1 + n % 2]), now() - interval '30 days'
    from generate_series(1, $2::bigint) n`,
  devices: `
    insert into devices (tenant_id, recipient_id, token, platform)
    select $1, 'user-' || n, 'device-' || n, (array['ios', 'android', 'web'])[1 + n % 3]
    from generate_series(1, $2::bigint, 5) n`,
  preferences: `
    insert into preferences (tenant_id, recipient_id, channels, categories)
    select $1, 'user-' || n, '{"sms": false}', '{"news": {"enabled": false}}' from generate_series(1, $2::bigint, 10) n`,
  subscriptions: `
    insert into subscriptions (tenant_id, topic_id, recipient_id)
    select $1, t.id, 'user-' || n from generate_series(1, $2::bigint, 2) n cross join lateral (
      select id from topics where tenant_id = $1 and key = 'topic-' || (1 + n % 50)) t`,
  subscribers: `
    update topics t set subscribers = (select count(*) from subscriptions s where s.tenant_id = $1 and s.topic_id = t.id)
    where tenant_id = $1 and $2::bigint > 0`,
  inbox_items: `
    insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body, created_at, seen_at, read_at)
    select $1, recipient_id, row_number() over (partition by recipient_id order by id),
           pg_temp.made_id(sent_at, 'b', i * 2 + k), category, 'Order ' || i, 'It is on its way.', sent_at,
           case when i % 3 > 0 then sent_at end, case when i % 3 > 1 then sent_at end
    from ${PLAN_TABLE} where channel = 'in_app' and state = 'sent' and $2::bigint > 0`,
  inbox_counters: `
    insert into inbox_counters (tenant_id, recipient_id, last_seq, total, unread, unseen)
    select $1, recipient_id, count(*), count(*), count(*) filter (where read_at is null),
           count(*) filter (where seen_at is null)
    from inbox_items where tenant_id = $1 and $2::bigint > 0 group by recipient_id`,
  suppressions: `
    insert into suppressions (tenant_id, id, channel, address, reason, detail, delivery_id, created_at)
    select $1, pg_temp.made_id(min(sent_at), 'b', min(i)), 'email', 'user-' || substr(recipient_id, 6) || '@example.com',
           case when bool_or(state = 'bounced') then 'bounced' else 'bad_address' end, 'the mailbox does not exist',
           (array_agg(id))[1], min(sent_at)
    from ${PLAN_TABLE} where channel = 'email' and (state = 'bounced' or reason = 'bad_address') and $2::bigint > 0
    group by recipient_id`,
  endpoint_deliveries: `
    with made as (
      select n, e.id as endpoint_id, now() - interval '30 days' * (1 - n::float8 / $2) - interval '1 second' as at
      from generate_series(1, $2::bigint) n
      join (select id, row_number() over (order by id) as place, count(*) over () as count
            from webhook_endpoints where tenant_id = $1) e on n % e.count + 1 = e.place
    ), sent as (
      insert into notifications (tenant_id, id, recipient_id, type, category, channels, payload, priority, metadata, total,
                                 succeeded, failed, created_at, endpoint_id)
      select $1, pg_temp.made_id(at, '8', n + 1000000000), 'endpoint', 'delivery.sent', 'default', '{webhook}',
             jsonb_build_object('type', 'delivery.sent', 'data', jsonb_build_object('recipient_id', 'user-' || n)), 5,
             jsonb_build_object('event_id', n::text), 1, (n % 20 > 0)::int, (n % 20 = 0)::int, at, endpoint_id
      from made order by n
    )
    insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state, reason, attempts, provider,
                            created_at, sent_at, endpoint_id)
    select $1, pg_temp.made_id(at, '9', n + 1000000000), pg_temp.made_id(at, '8', n + 1000000000), 'endpoint', 'webhook',
           case n % 20 when 0 then 'failed' else 'sent' end, case n % 20 when 0 then 'retries_exhausted' end,
           case n % 20 when 0 then 7 else 1 end, 'webhook', at, case when n % 20 > 0 then at end, endpoint_id
    from made order by n`,
};

/** $1: the tenant. */
const SETTINGS: readonly string[] = [
  `insert into categories (tenant_id, key, name, mandatory, default_enabled)
   select $1, key, initcap(key), key = 'security', key <> 'surveys'
   from unnest(array['default', 'orders', 'invoices', 'news', 'security', 'surveys']) key on conflict do nothing`,
  `insert into topics (tenant_id, id, key, name)
   select $1, pg_temp.made_id(now(), 'b', n), 'topic-' || n, 'Topic ' || n from generate_series(1, 50) n`,
  `insert into templates (tenant_id, id, key, channel, locale, version, created_at)
   select $1, pg_temp.made_id(now() - interval '30 days', 'b', n * 10 + l), key, channel, locale, 1, now() - interval '30 days'
   from (select key, channel, row_number() over () as n
         from unnest(array['welcome', 'order-shipped', 'invoice', 'newsletter', 'password-reset']) key
         cross join unnest(array['email', 'sms', 'push', 'in_app', 'chat']) channel) places
   cross join unnest(array['en', 'de']) with ordinality as locales (locale, l)`,
  `insert into template_versions (tenant_id, template_id, version, content, sample_payload)
   select tenant_id, id, 1, case channel
            when 'email' then '{"subject": "Hello {{name}}", "text": "Number {{number}}"}'::jsonb
            when 'sms' then '{"text": "Hello {{name}}"}' when 'chat' then '{"text": "Hello {{name}}"}'
            else '{"title": "Hello {{name}}", "body": "Number {{number}}"}' end, '{"name": "Ann", "number": 7}'
   from templates where tenant_id = $1`,
  `insert into schedules (tenant_id, id, rrule, timezone, starts_at_local, notification, recipient_id, misfire, state,
                          next_local, next_at)
   select $1, pg_temp.made_id(now() - interval '1 minute' * n, 'b', n), 'FREQ=WEEKLY;BYDAY=MO', 'Europe/Berlin',
          to_char(monday, ${LOCAL}), jsonb_build_object('recipient_id', 'user-' || n, 'channel', 'email', 'template_id', 'newsletter'),
          'user-' || n, 'fire_once', 'active', to_char(monday, ${LOCAL}), monday at time zone 'Europe/Berlin'
   from generate_series(1, 200) n
   cross join (select date_trunc('week', localtimestamp + interval '20 days') + interval '9 hours' as monday) next`,
  `insert into jobs (tenant_id, id, kind, state, total, done, failed, created_at, started_at, finished_at)
   select $1, pg_temp.made_id(now() - interval '1 hour' * n, 'b', n), (array['upload', 'dead_letter_replay'])[1 + n % 2],
          'finished', 1000, 1000 - n % 7, n % 7, now() - interval '1 hour' * n, now() - interval '1 hour' * n,
          now() - interval '1 hour' * n + interval '2 minutes'
   from generate_series(1, 500) n`,
  `insert into job_lines (tenant_id, job_id, line, code, errors)
   select tenant_id, id, line, 'validation_failed',
          '[{"pointer": "/recipient_id", "code": "required", "message": "is required"}]'
   from jobs cross join lateral generate_series(1, failed) line where tenant_id = $1 and kind = 'upload'`,
  `insert into audit_log (tenant_id, id, action, actor, source_address, request_id, subject, after, created_at)
   select $1, pg_temp.made_id(now() - interval '30 seconds' * (50000 - n), 'b', n),
          (array['template.changed', 'category.changed', 'suppression.removed', 'tenant.changed'])[1 + n % 4],
          case n % 4 when 3 then 'operator' else 'key:' || gen_random_uuid() end, '192.0.2.1', 'request-' || n,
          gen_random_uuid()::text, '{}', now() - interval '30 seconds' * (50000 - n)
   from generate_series(1, 50000) n`,
];

/** Deliveries to webhook endpoints for each delivery to a person. */
const ENDPOINT_SHARE = 0.05;

/** Each group in its order; groups do not depend on each other. */
export function tableGroups({ tenantId, deliveries, recipients }: SeedScope): Statement[][] {
  const endpoints = Math.round(deliveries * ENDPOINT_SHARE);
  const people = (name: keyof typeof PEOPLE): Statement => ({
    text: PEOPLE[name],
    values: [tenantId, name === 'endpoint_deliveries' ? endpoints : recipients],
  });
  return [
    [people('recipients'), people('devices')],
    [people('inbox_items'), people('inbox_counters')],
    [people('endpoint_deliveries')],
    [people('suppressions'), people('preferences')],
    [...SETTINGS.map((text) => ({ text, values: [tenantId] })), people('subscriptions'), people('subscribers')],
  ];
}
