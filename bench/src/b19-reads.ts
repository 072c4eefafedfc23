import { readFileSync } from 'node:fs';
import { ADMIN_TOKEN, type BenchEnvironment, type BenchTenant, load } from './bench-environment.ts';
import { fillDeliveries } from './fill.ts';
import { bareRead } from './limits.ts';
import type { LoadOrder } from './load.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';

const SIZES = {
  smoke: { few: 2_000, many: 20_000, waiting: 10_000, requests: 1_000, runs: 1 },
  small: { few: 100_000, many: 1_000_000, waiting: 350_000, requests: 8_000, runs: 3 },
  full: { few: 100_000, many: 10_000_000, waiting: 350_000, requests: 20_000, runs: 5 },
};
const RECIPIENTS = 1_000;
const ITEMS = 50;
const RARE = 200;

type Order = Omit<LoadOrder, 'port' | 'requests'>;
interface Rates {
  rate: number;
  p99: number;
}

export const b19: Scenario = {
  id: 'B19',
  title: 'reads: 64 connections, with few rows in the tables and with many; the overview of a long queue',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { few, many, waiting, requests, runs } = SIZES[size];
    const tenant = await product.tenant(RECIPIENTS);
    await fillInboxes(product, tenant);
    await fillNotifications(product, tenant, few);
    const reads = await orders(product, tenant);
    const before = await measure(product, reads, requests, runs, profiles);
    for (const [name, { rate, p99 }] of before)
      say(`${few} rows, ${name}: ${Math.round(rate)}/s, p99 ${p99.toFixed(1)} ms`);
    const bare = await bareRead(product, tenant, { ...reads.get('notification')!, requests });
    say(`the limit: ${Math.round(bare)} rows/s through a bare handler`);
    await fillNotifications(product, tenant, many - few);
    const after = await measure(product, reads, requests, runs, undefined);
    for (const [name, { rate, p99 }] of after)
      say(`${many} rows, ${name}: ${Math.round(rate)}/s, p99 ${p99.toFixed(1)} ms`);
    const overview = await overviewMs(product, tenant, waiting);
    say(`overview with ${waiting} rows waiting: ${overview.toFixed(1)} ms`);

    const rate = (name: string): number => before.get(name)!.rate;
    const growths = [...before].map(([name, { rate: first }]) => first / after.get(name)!.rate);
    const growth = Math.max(...growths);
    const single = Math.min(rate('notification'), rate('recipient'), rate('preferences'));
    const lists = Math.min(rate('list'), rate('list_by_status'));
    const inbox = Math.min(rate('inbox'), rate('mark_read'));
    return {
      id: 'B19',
      work: this.title,
      figures: {
        ...Object.fromEntries([...before].flatMap(([name, one]) => figuresOf(name, one, few))),
        ...Object.fromEntries([...after].flatMap(([name, one]) => figuresOf(name, one, many))),
        bare_read_per_second: bare,
        growth,
        overview_ms: overview,
      },
      headline: { name: 'reads of one notification', value: rate('notification'), unit: '/s' },
      limit: { name: 'a bare handler with one pooled query', value: bare },
      peers: [],
      ratio: rate('notification') / bare,
      floor: 0.15,
      targets: [
        { name: 'notification, recipient, preferences ≥ 4,000/s', met: single >= 4_000 },
        { name: 'list of 50, with and without status ≥ 2,000/s', met: lists >= 2_000 },
        { name: 'inbox list and mark read with 50 items ≥ 4,000/s', met: inbox >= 4_000 },
        { name: `overview with ${waiting} waiting ≤ 5 ms`, met: overview <= 5 },
        { name: 'growth ≤ 1.3x', met: growth <= 1.3 },
      ],
    };
  },
};

function figuresOf(name: string, { rate, p99 }: Rates, rows: number): [string, number][] {
  return [
    [`${name}_per_second_at_${rows}`, rate],
    [`${name}_p99_ms_at_${rows}`, p99],
  ];
}

/** Most notifications are sent; a few older ones have failed. */
async function fillNotifications(product: BenchEnvironment, tenant: BenchTenant, count: number): Promise<void> {
  await fillDeliveries(product, tenant, count, { dueAt: null });
  await product.sql.query(
    `update notifications set succeeded = 0, failed = 1 where id in (select id from notifications where final_status = 'sent' order by id limit ${RARE})`,
  );
  await product.sql.query('vacuum analyze');
}

async function fillInboxes(product: BenchEnvironment, tenant: BenchTenant): Promise<void> {
  await product.sql.query(
    `insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body)
     select $1, 'user-' || r, s, uuidv7(), 'default', 'Welcome, Alice', 'Good to have you.' from generate_series(0, $2::int - 1) r, generate_series(1, $3::int) s`,
    [tenant.id, RECIPIENTS, ITEMS],
  );
  await product.sql.query(
    `insert into inbox_counters (tenant_id, recipient_id, last_seq, total, unread, unseen) select $1, 'user-' || r, $3::int, $3::int, $3::int, $3::int from generate_series(0, $2::int - 1) r`,
    [tenant.id, RECIPIENTS, ITEMS],
  );
  await product.sql.query(
    `insert into preferences (tenant_id, recipient_id, channels) select $1, 'user-' || r, '{"email": true}' from generate_series(0, $2::int - 1) r`,
    [tenant.id, RECIPIENTS],
  );
}

async function orders(product: BenchEnvironment, tenant: BenchTenant): Promise<Map<string, Order>> {
  const ids = await product.sql.query<{ id: string }>('select id from notifications order by random() limit 5000');
  const items = await product.sql.query<{ id: string; recipient: string }>(
    `select id, substr(recipient_id, 6) as recipient from inbox_items order by random()`,
  );
  const tokenFile = await product.tokens(tenant, RECIPIENTS);
  const tokens = readFileSync(tokenFile, 'utf8').split('\n');
  const common = { method: 'GET', expect: 200, connections: 64, recipients: RECIPIENTS };
  const keyed = { ...common, headers: { 'X-API-Key': tenant.apiKey } };
  const asRecipient = { ...common, headers: { Authorization: 'Bearer {v1}' }, valuesFile: tokenFile };
  return new Map<string, Order>([
    [
      'notification',
      {
        ...keyed,
        path: '/api/v1/notifications/{v1}',
        valuesFile: product.file(
          'ids',
          ids.rows.map(({ id }) => id),
        ),
      },
    ],
    ['recipient', { ...keyed, path: '/api/v1/recipients/user-{r}' }],
    ['preferences', { ...keyed, path: '/api/v1/recipients/user-{r}/preferences' }],
    ['list', { ...keyed, path: '/api/v1/notifications?limit=50' }],
    ['list_by_status', { ...keyed, path: '/api/v1/notifications?limit=50&status=failed' }],
    ['inbox', { ...asRecipient, path: '/api/v1/inbox?limit=50' }],
    [
      'mark_read',
      {
        ...asRecipient,
        method: 'POST',
        expect: 204,
        path: '/api/v1/inbox/{v2}/read',
        valuesFile: product.file(
          'items',
          items.rows.map(({ id, recipient }) => `${tokens[Number(recipient)]}\t${id}`),
        ),
      },
    ],
  ]);
}

async function measure(
  product: BenchEnvironment,
  reads: Map<string, Order>,
  requests: number,
  runs: number,
  profiles: string | undefined,
): Promise<Map<string, Rates>> {
  const api = await product.start('api', {}, profiles);
  const found = new Map<string, Rates>();
  for (const [name, order] of reads) {
    const results = [];
    await load({ ...order, port: api.port, requests: Math.ceil(requests / 4) });
    for (let run = 0; run < runs; run += 1) {
      await product.sql.query('update inbox_items set read_at = null, seen_at = null where read_at is not null');
      await product.sql.query(`update inbox_counters set unread = ${ITEMS}, unseen = ${ITEMS} where unread < ${ITEMS}`);
      await product.sql.query('vacuum inbox_items, inbox_counters');
      const result = await load({ ...order, port: api.port, requests });
      check(`answers of ${name} with ${order.expect}`, result.statuses[String(order.expect)] ?? 0, requests);
      if (name === 'mark_read')
        check(
          'items read',
          await product.count('select count(*) from inbox_items where read_at is not null'),
          requests,
        );
      results.push(result);
    }
    found.set(name, {
      rate: median(results.map(({ seconds }) => requests / seconds)),
      p99: median(results.map(({ p99 }) => p99)),
    });
  }
  await api.stop();
  return found;
}

/** Sequential requests, while a worker counts the queue. */
async function overviewMs(product: BenchEnvironment, tenant: BenchTenant, waiting: number): Promise<number> {
  await fillDeliveries(product, tenant, waiting, { dueAt: new Date(Date.now() + 86_400_000) });
  await product.sql.query('vacuum analyze due_deliveries');
  const [api, worker] = [await product.start('api'), await product.start('worker')];
  const order = {
    port: api.port,
    method: 'GET',
    path: '/internal/overview',
    expect: 200,
    connections: 1,
    recipients: 1,
    headers: { 'X-Admin-Token': ADMIN_TOKEN },
  };
  await load({ ...order, requests: 50 });
  const { p50 } = await load({ ...order, requests: 200 });
  const answer = (await (
    await fetch(`http://127.0.0.1:${api.port}/internal/overview`, { headers: order.headers })
  ).json()) as { waiting: number };
  check('deliveries waiting in the overview', answer.waiting, waiting);
  await worker.stop();
  await api.stop();
  return p50;
}
