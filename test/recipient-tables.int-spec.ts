// Every column of every table that may hold data of a recipient: the export has it, and the erasure removes it. A new
// table or column fails these tests until it is filled here, and exported and erased or on one of the lists.

import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { Database, ErasuresStore, ExpiredRowsStore, RecipientExportStore, SecretBox } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect } from '#testing';

const ID = 'canary-recipient';
const EMAIL = 'canary-email@example.com';
const keys = { addressKey: Buffer.alloc(32, 5) };
const audit = { action: 'recipient.exported', actor: 'key:k', sourceAddress: '127.0.0.1', requestId: 'r' } as const;

/** Tables without data of recipients, or whose rows name no recipient that could be found. docs/erasure.md says why. */
const OTHERS = [
  '_prisma_migrations',
  'account_paces',
  'api_keys',
  'audit_log',
  'categories',
  'claim_watermarks',
  'console_sessions',
  'delivery_statistics',
  'erasures',
  'idempotency_keys',
  'platform_keys',
  'poison_messages',
  'preference_rules',
  'provider_account_health',
  'provider_accounts',
  'queue_figures',
  'quota_usage',
  'statistics_passes',
  'template_versions',
  'templates',
  'tenants',
  'token_revocations',
  'topics',
  'used_tokens',
  'webhook_endpoints',
];

/** Columns of the other tables that the export leaves out: they serve the queue, or are not of the recipient. */
const NOT_EXPORTED = [
  'due_deliveries.policy_recipient_id',
  'due_deliveries.sending_provider',
  'due_deliveries.traceparent',
];

/** Columns that remain after an erasure: codes, states and labels, which describe no person. */
const KEPT = [
  'attempts.code',
  'attempts.outcome',
  'attempts.provider',
  'dead_letters.code',
  'dead_letters.provider',
  'dead_letters.reason',
  'deliveries.provider',
  'deliveries.reason',
  'delivery_log.code',
  'delivery_log.reason',
  'delivery_log.rule',
  'notifications.category',
  'notifications.template_id',
  'notifications.topic',
  'notifications.type',
];

type Row = Record<string, unknown>;

let clone: Awaited<ReturnType<typeof cloneDatabase>>;
let admin: pg.Client;
let database: Database;

// Each test searches all tables, so it has a database of its own.
beforeEach(async () => {
  clone = await cloneDatabase(inject('postgresUrl'));
  admin = await connect(clone.url);
  database = new Database({ url: clone.url, poolSize: 2 });
});
afterEach(async () => {
  await database.close();
  await admin.end();
  await clone.drop();
});

interface Column {
  table: string;
  column: string;
  type: string;
  /** Must be given: not null, and without a default. */
  required: boolean;
}

async function columns(): Promise<Column[]> {
  const { rows } = await admin.query<Column>(
    `select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type,
            a.attnotnull and not a.atthasdef and a.attidentity = '' as required
     from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by 1, 2`,
  );
  return rows;
}

/** A value that no other column has. */
const canary = (table: string, column: string): string => `canary ${table} ${column}`;

function canaryOf({ table, column, type }: Column): unknown {
  if (type === 'text') return canary(table, column);
  if (type === 'jsonb' || type === 'json') return JSON.stringify({ canary: canary(table, column) });
  if (type === 'text[]') return [canary(table, column)];
  return undefined;
}

/** A value without a meaning. */
function anyOf(type: string): unknown {
  if (type.endsWith('[]')) return [];
  if (type === 'uuid') return newId();
  if (type.startsWith('timestamp')) return new Date();
  return type === 'boolean' ? false : 1;
}

/** Inserts a row with a canary in each column that is not given. Returns the canaries by `table.column`. */
async function insert(all: readonly Column[], table: string, given: Row): Promise<Map<string, string>> {
  const canaries = new Map<string, string>();
  const row: Row = { ...given };
  for (const one of all.filter((column) => column.table === table)) {
    if (one.column in row) continue;
    const value = canaryOf(one);
    if (value === undefined && !one.required) continue;
    row[one.column] = value ?? anyOf(one.type);
    if (value !== undefined) canaries.set(`${table}.${one.column}`, canary(table, one.column));
  }
  const names = Object.keys(row);
  const values = names.map((_, index) => `$${index + 1}`);
  await admin.query(
    `insert into "${table}" (${names.map((name) => `"${name}"`).join()}) values (${values.join()})`,
    Object.values(row),
  );
  return canaries;
}

/** A row in every table, all about one recipient. */
async function fill(): Promise<{ tenantId: string; canaries: Map<string, string> }> {
  const all = await columns();
  const tenantId = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
  const tenant = { tenant_id: tenantId };
  const recipient = { ...tenant, recipient_id: ID };
  const [notification, delivery, topicDelivery, topic, content] = [newId(), newId(), newId(), newId(), newId()];
  const [topicNotification, event, digest] = [newId(), newId(), newId()];
  const ofDelivery = { ...tenant, delivery_id: delivery };
  await admin.query(`insert into topics (tenant_id, id, key, name) values ($1, $2, 'news', 'News')`, [tenantId, topic]);
  const rows: [string, Row][] = [
    ['recipients', { ...tenant, id: ID, email: EMAIL }],
    ['devices', { ...recipient, platform: 'ios' }],
    ['preferences', recipient],
    ['digests', { ...recipient, id: digest }],
    ['schedules', { ...recipient, id: newId(), state: 'paused', misfire: 'skip', next_local: null, next_at: null }],
    ['policy_changes', recipient],
    ['job_lines', { ...recipient, job_id: newId(), line: 2 }],
    ['subscriptions', { ...recipient, topic_id: topic }],
    ['rate_windows', { ...recipient, expires_at: new Date(Date.now() + 60_000) }],
    ['inbox_counters', recipient],
    ['inbox_items', { ...recipient, seq: 1, id: newId() }],
    // Those of the last hour may get another notification.
    ['shared_contents', { ...tenant, id: content, created_at: new Date(Date.now() - 7_200_000) }],
    [
      'notifications',
      {
        ...recipient,
        id: notification,
        channels: ['email'],
        priority: 5,
        total: 1,
        shared_content_id: content,
      },
    ],
    ['deliveries', { ...recipient, id: delivery, notification_id: notification, channel: 'email', state: 'waiting' }],
    [
      'due_deliveries',
      {
        ...ofDelivery,
        channel: 'email',
        lane: 2,
        message_key: '1',
        due_at: new Date(),
        tried_account_ids: [],
        digest_id: digest,
      },
    ],
    ['attempts', { ...ofDelivery, number: 1, duration_ms: 1 }],
    ['delivery_log', { ...ofDelivery, id: newId() }],
    ['dead_letters', { ...ofDelivery, recipient_id: ID, id: newId(), notification_id: notification, channel: 'email' }],
    ['parked_receipts', { ...ofDelivery, id: newId(), kind: 'bounced' }],
    ['mailbox_messages', { ...ofDelivery, id: newId(), notification_id: notification, channel: 'email' }],
    [
      'suppressions',
      { ...tenant, id: newId(), channel: 'email', address: EMAIL, reason: 'bounced', delivery_id: delivery },
    ],
    [
      'events',
      {
        ...recipient,
        type: 'delivery.sent',
        subject: ID,
        data: JSON.stringify({ recipient_id: ID, token: 'canary events data' }),
      },
    ],
  ];
  const canaries = new Map<string, string>();
  for (const [table, given] of rows)
    for (const [place, value] of await insert(all, table, given)) canaries.set(place, value);
  const filled = new Set([...rows.map(([table]) => table), 'jobs', ...OTHERS]);
  expect([...new Set(all.map(({ table }) => table))].filter((table) => !filled.has(table))).toEqual([]);
  for (const place of ['events.data']) canaries.set(place, `canary ${place.replace('.', ' ')}`);
  await admin.query(
    `insert into notifications (tenant_id, id, category, channels, priority, total, topic)
     values ($1, $2, 'default', '{email}', 5, 1, 'news')`,
    [tenantId, topicNotification],
  );
  await admin.query(
    `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, state, of_topic)
     values ($1, $2, $3, $4, 'email', 'canary-topic@example.com', 'sent', true)`,
    [tenantId, topicDelivery, topicNotification, ID],
  );
  await excludeFromTopicSends(tenantId, topicNotification);
  await admin.query(
    `insert into notifications
       (tenant_id, id, recipient_id, category, channels, priority, total, endpoint_id, type, payload, traceparent)
     values ($1, $2, 'endpoint', 'webhook', '{webhook}', 5, 1, $2, 'device.removed', $3, 'canary trace of an event')`,
    [
      tenantId,
      event,
      JSON.stringify({ timestamp: '2026-01-01T00:00:00Z', data: { recipient_id: ID, token: 'canary sent event' } }),
    ],
  );
  canaries.set('deliveries.address of a topic', 'canary-topic@example.com');
  canaries.set('notifications.payload of an endpoint', 'canary sent event');
  canaries.set('recipients.id', ID);
  canaries.set('recipients.email', EMAIL);
  return { tenantId, canaries };
}

/** The recipient is excluded from a running send to a topic and from a schedule, and the last one of a chunk. */
async function excludeFromTopicSends(tenantId: string, notificationId: string): Promise<void> {
  await admin.query(
    `insert into jobs (tenant_id, id, kind, input, cursor, notification_id)
     values ($1, $2, 'topic_send', $3, $4, $2)`,
    [tenantId, notificationId, JSON.stringify({ exclude: ['bob', ID] }), JSON.stringify({ after: ID })],
  );
  await admin.query(
    `insert into schedules (tenant_id, id, rrule, timezone, starts_at_local, notification, misfire, state)
     values ($1, $2, 'FREQ=DAILY', 'UTC', '2026-01-01T09:00:00', $3, 'skip', 'paused')`,
    [tenantId, newId(), JSON.stringify({ topic: 'news', exclude: [ID, 'bob'] })],
  );
}

/** The tables and columns in which one of the values is, and the values. */
async function search(values: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const { table, column } of await columns()) {
    const { rows } = await admin.query<{ value: string }>(
      `select wanted as value from unnest($1::text[]) as wanted
       where exists (select from "${table}" where strpos(lower("${column}"::text), lower(wanted)) > 0)`,
      [values],
    );
    found.push(...rows.map(({ value }) => `${table}.${column}: ${value}`));
  }
  return found;
}

async function exported(tenantId: string): Promise<string[]> {
  const store = new RecipientExportStore(database, keys);
  expect(await store.begin(tenantId, ID, audit)).toBe(true);
  const lines: string[] = [];
  for await (const line of store.lines(tenantId, ID)) lines.push(line);
  return lines;
}

describe('every column with data of a recipient', () => {
  it('is in the export', async () => {
    const { tenantId, canaries } = await fill();
    const lines = await exported(tenantId);
    const text = [JSON.stringify({ recipient_id: ID }), ...lines].join('\n');
    const missing = [...canaries].filter(([, value]) => !text.includes(value)).map(([place]) => place);
    expect(missing).toEqual(NOT_EXPORTED);
    expect(lines.filter((line) => line.includes('"kind": "exclusion"')).map((line) => JSON.parse(line).data)).toEqual([
      { job_id: expect.any(String), notification_id: expect.any(String) },
      { schedule_id: expect.any(String), topic: 'news' },
    ]);
    const { rows } = await admin.query('select action, subject from audit_log where tenant_id = $1', [tenantId]);
    expect(rows).toEqual([{ action: 'recipient.exported', subject: expect.stringMatching(/^sha256:/) }]);
  });

  it('is erased, and only a keyed hash remains of a suppressed address', async () => {
    const { tenantId, canaries } = await fill();
    const box = new SecretBox(Buffer.alloc(32, 7));
    const erasures = new ErasuresStore(database, box, keys);
    expect((await search([...canaries.values()])).length).toBeGreaterThan(60);
    await admin.query('delete from audit_log');
    await erasures.erase(tenantId, ID, null);
    await admin.query('update erasures set due_at = now()');
    await erasures.finishDue();
    const [unused] = new ExpiredRowsStore(database).cleanUps.filter(({ table }) => table === 'shared_contents');
    await unused!.run(() => undefined);
    const kept = new Map([...canaries].map(([place, value]) => [value, place]));
    const remaining = (await search([...canaries.values(), 'canary trace of an event'])).filter((one) => {
      const [at, value] = one.split(': ') as [string, string];
      return !(KEPT.includes(at) && kept.get(value) === at);
    });
    expect(remaining).toEqual([]);
    const { rows } = await admin.query('select address from suppressions where tenant_id = $1', [tenantId]);
    expect(rows).toEqual([{ address: expect.stringMatching(/^hmac:[0-9a-f]{64}$/) }]);
  });

  it('belongs to the tenant: another tenant with a recipient of this id exports nothing of it, and erases nothing', async () => {
    const { tenantId, canaries } = await fill();
    const other = newId();
    await admin.query(`insert into tenants (id, name) values ($1, 'Other')`, [other]);
    await admin.query('insert into recipients (tenant_id, id) values ($1, $2)', [other, ID]);
    const text = (await exported(other)).join('\n');
    expect([...canaries.values()].filter((value) => value !== ID && text.includes(value))).toEqual([]);
    const before = await search([...canaries.values()]);
    await new ErasuresStore(database, new SecretBox(Buffer.alloc(32, 7)), keys).erase(other, ID, null);
    await admin.query('delete from erasures');
    expect(await search([...canaries.values()])).toEqual(before);
    expect(tenantId).not.toBe(other);
  });

  it('of nobody is not exported', async () => {
    const { tenantId } = await fill();
    expect(await new RecipientExportStore(database, keys).begin(tenantId, 'nobody', audit)).toBe(false);
  });
});
