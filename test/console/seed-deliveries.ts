// Notifications and deliveries of thirty days with everything that belongs to them, made by SQL.

import type { SeedScope, Statement } from './seed-sessions.ts';

/** An address to which exactly one delivery was sent. */
export const RARE_ADDRESS = 'only-once@example.org';
/** A reason of exactly three deliveries. */
export const RARE_REASON = 'poison';
/** Deliveries of a notification, on average. */
const FAN = 1.3;
/** Exists while the seed runs. */
export const PLAN_TABLE = 'console_seed_plan';
/** The share of the deliveries that wait. */
const WAITING = 0.004;

/** Pseudo-random numbers from 0 to 1 that are the same in every run; ids of version 7 with a time and a number. */
export const FUNCTIONS = `
create or replace function pg_temp.rnd(n bigint, salt integer) returns double precision
language sql immutable as $$ select ((hashint8extended(n, salt) >> 11) & 1048575) / 1048576.0 $$;
create or replace function pg_temp.made_id(at timestamptz, kind text, n bigint) returns uuid
language sql immutable as $$
  select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(n & 4095), 3, '0')
          || kind || lpad(to_hex(n), 15, '0'))::uuid
$$;
create or replace function pg_temp.pick(roll double precision, shares double precision[], names text[]) returns text
language sql immutable as $$ select names[width_bucket(roll, shares)] $$`;

/** Of the one or two deliveries of a notification, those in these states. */
const count = (states: string): string => `(a.state in (${states}))::int + coalesce((b.state in (${states}))::int, 0)`;

/** `pick` with the shares of the names in percent. The last name has the rest. */
function pick(roll: string, shares: Record<string, number>): string {
  let sum = 0;
  const bounds = Object.values(shares).map((share) => {
    const bound = sum;
    sum += share / 100;
    return bound.toFixed(4);
  });
  const names = Object.keys(shares).map((name) => (name === 'null' ? 'null' : `'${name}'`));
  return `pg_temp.pick(${roll}, array[${bounds}]::float8[], array[${names}])`;
}

const CHANNELS = { email: 55, push: 15, sms: 12, in_app: 15, chat: 3 };
const CATEGORIES = { default: 30, orders: 30, invoices: 15, news: 15, security: 8, surveys: 2 };
const TEMPLATES = { welcome: 20, 'order-shipped': 30, invoice: 15, newsletter: 15, 'password-reset': 10, null: 10 };
const STATES = {
  delivered: 50,
  sent: 33,
  bounced: 1.5,
  failed: 2.5,
  suppressed: 8.5,
  expired: 0.7,
  cancelled: 1,
  unknown: 0.3,
};
const FAILED = {
  rejected: 35,
  bad_address: 25,
  retries_exhausted: 20,
  no_address: 8,
  render_error: 5,
  misconfigured: 4,
  no_provider: 2.9,
  sender_not_allowed: 0.1,
};
const SUPPRESSED = {
  opted_out: 35,
  unsubscribed: 25,
  suppression_list: 15,
  frequency_cap: 10,
  quiet_hours: 8,
  tenant_rule: 5,
  tenant_suspended: 2,
};
const WAITS = { scheduled: 40, quiet_hours: 20, retry: 20, frequency_cap: 10, provider_limit: 5, provider_down: 5 };

/**
 * $1 notifications, $2 recipients, $3 those that wait. One row for each delivery, in the order of their ids. Two
 * sessions read it, so it is no temporary table. An attempt begins after the acceptance and ends before now.
 */
const PLAN = `
create unlogged table ${PLAN_TABLE} as
with sends as materialized (
  select i, k, now() - interval '30 days' * (1 - i::float8 / $1) - interval '1 second' as at,
         'user-' || 1 + floor(power(pg_temp.rnd(i, 1), 3) * $2)::bigint as recipient_id, i > $1 - $3 as waits,
         k = 1 and i in ($1 / 5, $1 / 2, $1 * 9 / 10) as is_rare,
         case when i = $1 / 3 then 'email' else ${pick('pg_temp.rnd(i, 2)', CHANNELS)} end as first_channel,
         ${pick('pg_temp.rnd(i, 3)', CATEGORIES)} as category, ${pick('pg_temp.rnd(i, 4)', TEMPLATES)} as template,
         case when k = 1 and i = $1 / 3 then '${RARE_ADDRESS}'
              when k = 1 and pg_temp.rnd(i, 5) < 0.05 then 'guest-' || i || '@example.net' end as named
  from generate_series(1, $1::bigint) i cross join generate_series(1, 2) k
  where k = 1 or pg_temp.rnd(i, 6) < ${FAN - 1} order by i, k
), channels as materialized (
  select *, case when k = 1 then first_channel when first_channel = 'in_app' then 'email' else 'in_app' end as channel,
         pg_temp.made_id(at, '8', i) as notification_id, pg_temp.made_id(at, case k when 1 then '9' else 'a' end, i) as id
  from sends
), states as materialized (
  select *, case when waits then 'waiting' when is_rare then 'failed'
                 else ${pick('pg_temp.rnd(i * 2 + k, 7)', STATES)} end as rolled
  from channels
), real_states as (
  select *, case when rolled in ('delivered', 'bounced', 'unknown') and channel in ('in_app', 'chat') then 'sent'
                 else rolled end as state
  from states
), attempted as (
  select *, case when state in ('sent', 'delivered', 'bounced', 'unknown') then 1
                 when state = 'failed' then 1 + floor(pg_temp.rnd(i, 12) * 6)::int else 0 end as attempts
  from real_states
), reasons as (
  select *, case state when 'failed' then case when is_rare then '${RARE_REASON}'
                         else ${pick('pg_temp.rnd(i * 2 + k, 8)', FAILED)} end
                       when 'suppressed' then ${pick('pg_temp.rnd(i * 2 + k, 9)', SUPPRESSED)}
                       when 'waiting' then ${pick('pg_temp.rnd(i, 10)', WAITS)} end as reason
  from attempted
)
select i, k, at, recipient_id, notification_id, id, channel, category, template, state, reason, attempts,
       case when channel = 'email' then named end as address,
       least(now(), at + interval '1 minute' * greatest(attempts - 1, 0)
                       + interval '1 second' * (0.5 + 8 * power(pg_temp.rnd(i * 2 + k, 11), 6))) as sent_at,
       case when reason = 'scheduled' then at + interval '40 days'
            when waits then now() + interval '10 days' + interval '1 second' * (i % 100000) end as due_at
from reasons`;

/**
 * $1: the tenant, in all statements that follow. They have no `order by`: the rows lie in the order of their ids, and
 * the join keeps it.
 */
const NOTIFICATIONS = `
insert into notifications (tenant_id, id, recipient_id, type, category, channels, template_id, content, payload,
                           priority, metadata, scheduled_at, total, succeeded, failed, suppressed, cancelled, created_at)
select $1, a.notification_id, a.recipient_id, replace(a.template, '-', '.'), a.category,
       array_remove(array[a.channel, b.channel], null), a.template,
       case when a.template is null then jsonb_build_object('subject', 'Your order ' || a.i, 'text', 'Thank you.') end,
       case when a.template is not null then jsonb_build_object('name', a.recipient_id, 'number', a.i) end,
       case when a.category = 'security' then 2 else 5 end, jsonb_build_object('order', a.i::text),
       case when a.reason = 'scheduled' then a.due_at end, 1 + (b.i is not null)::int,
       ${count("'sent', 'delivered'")}, ${count("'failed', 'bounced', 'unknown'")}, ${count("'suppressed', 'expired'")},
       ${count("'cancelled'")}, a.at
from ${PLAN_TABLE} a left join ${PLAN_TABLE} b on b.i = a.i and b.k = 2 where a.k = 1`;

/** $2: the ids of provider accounts by channel. */
const DELIVERIES = `
insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, state, reason, template_version,
                        attempts, provider, provider_account_id, provider_message_id, created_at, sent_at, delivered_at)
select $1, id, notification_id, recipient_id, channel, address, state,
       case when state <> 'waiting' then reason end,
       case when attempts > 0 and template is not null then 1 end, attempts,
       case when attempts > 0 then case channel when 'in_app' then 'inbox' else 'sandbox' end end,
       case when attempts > 0 then ($2::jsonb->>channel)::uuid end,
       case when attempts > 0 and channel <> 'in_app' then 'msg-' || i || '-' || k end, at,
       case when state in ('sent', 'delivered', 'bounced') then sent_at end,
       case when state = 'delivered' then sent_at + interval '4 seconds' end
from ${PLAN_TABLE}`;

const ATTEMPTS = `
insert into attempts (tenant_id, delivery_id, number, provider, provider_account_id, outcome, code, detail,
                      provider_message_id, duration_ms, ended_at)
select $1, id, number, case channel when 'in_app' then 'inbox' else 'sandbox' end, ($2::jsonb->>channel)::uuid,
       case when number < attempts or state = 'waiting' then 'transient' when state = 'unknown' then 'unknown'
            when state = 'failed' then case reason when 'bad_address' then 'bad_address' when 'retries_exhausted'
                 then 'transient' when 'misconfigured' then 'misconfigured' else 'rejected' end
            else 'sent' end,
       case when number < attempts or state in ('failed', 'waiting') then '5' || (i % 90 + 10) end,
       case when number < attempts or state in ('failed', 'waiting') then 'the provider answered with an error' end,
       case when state in ('sent', 'delivered', 'bounced') then 'msg-' || i || '-' || k end,
       40 + (i % 400)::int, sent_at - interval '1 minute' * greatest(attempts - number, 0)
from ${PLAN_TABLE} cross join lateral generate_series(1, greatest(attempts, (reason = 'retry')::int)) number`;

const LOG = `
insert into delivery_log (tenant_id, delivery_id, id, code, reason, rule, until, created_at)
select $1, id, pg_temp.made_id(sent_at, 'b', i * 2 + k), case state when 'waiting' then 'held' else state end, reason,
       case reason when 'opted_out' then 'recipient.preferences' when 'unsubscribed' then 'recipient.preferences'
         when 'suppression_list' then 'suppression_list' when 'frequency_cap' then 'tenant.caps'
         when 'quiet_hours' then 'recipient.quiet_hours' when 'tenant_rule' then 'tenant.enforced' end,
       due_at,
       case when state in ('delivered', 'bounced') then sent_at + interval '4 seconds' else sent_at end
from ${PLAN_TABLE} where state not in ('sent', 'waiting') or state = 'waiting' and reason not in ('scheduled', 'provider_down')`;

const DUE = `
insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, reason, attempt, message_key)
select $1, id, channel, case when category = 'security' then 1 else 2 end,
       due_at, reason, case when reason = 'retry' then 1 else 0 end, 0
from ${PLAN_TABLE} where state = 'waiting'`;

const LETTERS = `
insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, provider, reason, code,
                          detail, attempts, failed_at, replayed_at)
select $1, pg_temp.made_id(sent_at, '9', i * 2 + k), id, notification_id, recipient_id, channel, 'sandbox', reason,
       '5' || (i % 90 + 10), 'the provider answered with an error', attempts, sent_at, null
from ${PLAN_TABLE} where state = 'failed'`;

/** Makes the table that all other statements read. */
export function planStatements({ deliveries, recipients }: SeedScope): Statement[] {
  const notifications = Math.max(10, Math.round(deliveries / FAN));
  const waiting = Math.max(10, Math.round(notifications * WAITING));
  const plan = inlined(PLAN, [notifications, recipients, waiting]);
  return [plan, `analyze ${PLAN_TABLE}`].map((text) => ({ text, values: [] }));
}

/** Everything of one tenant. Its provider accounts, if it has some, are those of the attempts. */
export function deliveryGroups({ tenantId, accounts }: SeedScope): Statement[][] {
  return [
    [{ text: DELIVERIES, values: [tenantId, accounts] }],
    [{ text: NOTIFICATIONS, values: [tenantId] }],
    [{ text: ATTEMPTS, values: [tenantId, accounts] }],
    [LOG, LETTERS].map((text) => ({ text, values: [tenantId] })),
  ];
}

/** After all others: a worker that claims a delivery must find it. */
export function dueStatement({ tenantId }: SeedScope): Statement {
  return { text: DUE, values: [tenantId] };
}

/** `create table … as` has no parameters. */
function inlined(text: string, values: readonly number[]): string {
  return text.replaceAll(/\$(\d)/g, (_, number: string) => `${values[Number(number) - 1]}`);
}
