import { setTimeout as delay } from 'node:timers/promises';
import { Database, PartitionsStore } from '../../dist/libs/database/src/index.js';
import { freePort } from '../../services/programs.ts';
import { type BenchEnvironment, type BenchTenant, load } from './bench-environment.ts';
import { acceptStatement, bareHandler } from './limits.ts';
import type { LoadOrder } from './load.ts';
import { generateUsualClient, startPeer } from './peer.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';

const BODY = '{"recipient_id":"user-{r}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}';
const SIZES = {
  smoke: { requests: 3_000, runs: 1 },
  small: { requests: 20_000, runs: 3 },
  full: { requests: 60_000, runs: 5 },
};

export const b1: Scenario = {
  id: 'B1',
  title: 'accept: POST one, 64 connections, an idempotency key each, commit before the 202',
  async run({ product, services, size, say, profiles }: Context): Promise<Figures> {
    const { requests, runs } = SIZES[size];
    const tenant = await product.tenant(1_000);
    const api = await product.start('api', {}, profiles);
    const order = {
      path: '/api/v1/notifications',
      connections: 64,
      headers: { 'X-API-Key': tenant.apiKey },
      body: BODY,
      recipients: 1_000,
    };
    say('warm-up');
    await load({ ...order, port: api.port, requests: Math.max(2_000, requests / 4), keyPrefix: 'warm-' });
    const rates: number[] = [];
    const p50: number[] = [];
    const p99: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      await product.clean();
      const result = await load({ ...order, port: api.port, requests, keyPrefix: `run${run}-` });
      check('requests answered with 202', result.statuses['202'] ?? 0, requests);
      for (const table of ['notifications', 'deliveries', 'due_deliveries', 'idempotency_keys'])
        check(`rows in ${table}`, await product.count(`select count(*) from ${table}`), requests);
      rates.push(requests / result.seconds);
      p50.push(result.p50);
      p99.push(result.p99);
      say(
        `run ${run + 1} of ${runs}: ${Math.round(rates.at(-1)!)} requests/s, p50 ${result.p50.toFixed(1)} ms, p99 ${result.p99.toFixed(1)} ms`,
      );
    }
    await product.clean();
    const beside = await besidePartitions(product, { ...order, port: api.port, requests, keyPrefix: 'beside-' });
    say(`beside ${beside.made} new partitions: p99 ${beside.p99.toFixed(1)} ms`);
    await api.stop();
    say('the usual stack');
    const usual = await usualStack(
      product,
      tenant,
      { ...order, requests: Math.ceil(requests / 4) },
      await services.redis(),
    );
    say('the limits');
    const bare = await bareHandler({ ...order, requests });
    await product.clean();
    const statement = await acceptStatement(product, tenant, requests, 64);
    await product.clean();
    const limit = Math.min(bare, statement);
    const rate = median(rates);
    return {
      id: 'B1',
      work: this.title,
      figures: {
        requests_per_second: rate,
        p50_ms: median(p50),
        p99_ms: median(p99),
        p99_beside_partitions_ms: beside.p99,
        partitions_made: beside.made,
        usual_stack_per_second: usual.rate,
        usual_stack_p99_ms: usual.p99,
        bare_handler_per_second: bare,
        statement_64_per_second: statement,
      },
      headline: { name: 'accepts', value: rate, unit: '/s' },
      limit: { name: 'min(bare handler, the statement at 64 rows)', value: limit },
      peers: [{ name: 'Nest + Express + Prisma + BullMQ', value: usual.rate }],
      ratio: rate / limit,
      floor: 0.15,
      targets: [
        { name: 'accept ≥ 12,000/s', met: rate >= 12_000 },
        { name: 'p99 ≤ 15 ms', met: median(p99) <= 15 },
        { name: 'p99 ≤ 2x while partitions are created', met: beside.p99 <= 2 * median(p99) },
        { name: '≥ 5x the usual stack', met: rate >= 5 * usual.rate },
      ],
    };
  },
};

/** The same load while partitions are created, a hundred times as often as normal. Every request must be accepted. */
async function besidePartitions(product: BenchEnvironment, order: LoadOrder): Promise<{ p99: number; made: number }> {
  const database = new Database({ url: product.databaseUrl, poolSize: 1 });
  const partitions = new PartitionsStore(database);
  let loading = true;
  let made = 0;
  const making = (async () => {
    for (let weeks = 5; loading && weeks < 100; weeks += 1) {
      made += await partitions.make(weeks);
      await delay(200);
    }
  })();
  const { statuses, p99 } = await load(order);
  loading = false;
  await making;
  await database.close();
  check('requests answered with 202 beside new partitions', statuses['202'] ?? 0, order.requests);
  return { p99, made };
}

/** The same requests to the usual stack: see bench/peers/usual-stack.ts. */
async function usualStack(
  product: BenchEnvironment,
  tenant: BenchTenant,
  order: Omit<LoadOrder, 'port'>,
  redisUrl: string,
): Promise<{ rate: number; p99: number }> {
  generateUsualClient();
  await product.sql.query(`
    create table usual_notifications (id uuid primary key, tenant_id uuid not null, recipient_id text not null, channel text not null, template_id text not null,
      payload jsonb not null, idempotency_key text, created_at timestamptz(3) not null default now(), unique (tenant_id, idempotency_key));
    create table usual_deliveries (id uuid primary key, notification_id uuid not null references usual_notifications (id), channel text not null, state text not null default 'waiting');
    create index on usual_deliveries (notification_id)`);
  const port = await freePort();
  const peer = await startPeer('usual-stack.ts', [], {
    PORT: String(port),
    DATABASE_URL: product.databaseUrl,
    REDIS_URL: redisUrl,
    TENANT: tenant.id,
    API_KEY: tenant.apiKey,
  });
  try {
    await load({ ...order, port, requests: Math.ceil(order.requests / 4), keyPrefix: 'warm-' });
    const result = await load({ ...order, port, keyPrefix: 'usual-' });
    check('requests answered with 202', result.statuses['202'] ?? 0, order.requests);
    return { rate: order.requests / result.seconds, p99: result.p99 };
  } finally {
    await peer.stop();
    await product.sql.query('drop table usual_deliveries, usual_notifications');
  }
}
