import { setTimeout as delay } from 'node:timers/promises';
import { type BenchEnvironment, type BenchTenant, load } from './bench-environment.ts';
import { drainStatements } from './limits.ts';
import { startPeer } from './peer.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';

const PER_CALL = 500;
const SIZES = {
  smoke: { backlog: 3_000, runs: 1 },
  small: { backlog: 30_000, runs: 2 },
  full: { backlog: 100_000, runs: 3 },
};
type Channel = 'email' | 'in_app';
const peerQueues = ['graphile-worker', 'bullmq', 'pg-boss'] as const;

export const b4: Scenario = {
  id: 'B4',
  title: 'drain: a backlog through the whole pipeline, by one worker, into the sandbox (e-mail) and into inboxes',
  async run({ product, services, size, say, profiles }: Context): Promise<Figures> {
    const { backlog, runs } = SIZES[size];
    // Five per recipient, below the default limit of ten per hour, so the limiter grants every request.
    const tenant = await product.tenant(backlog / 5);
    const figures: Record<string, number> = {};
    const kafka: number[] = [];
    const rates: Record<Channel, number[]> = { email: [], in_app: [] };
    for (const channel of ['email', 'in_app'] as const) {
      for (let run = 0; run < runs; run += 1) {
        await fill(product, tenant, backlog, channel);
        const before = await wal(product);
        const statements = await calls(product);
        const worker = await product.start('worker', {}, profiles);
        const seconds = await drained(product);
        await worker.stop();
        await verify(product, backlog, channel);
        rates[channel].push(backlog / seconds);
        figures[`${channel}_wal_bytes_per_delivery`] = ((await wal(product)) - before) / backlog;
        figures[`${channel}_statements_per_delivery`] = ((await calls(product)) - statements) / backlog;
        say(`${channel}, run ${run + 1} of ${runs}: ${Math.round(backlog / seconds)} deliveries/s`);
      }
      figures[`${channel}_per_second`] = median(rates[channel]);
      say(`${channel}: the limit`);
      await fill(product, tenant, backlog, channel);
      figures[`${channel}_statements_alone_per_second`] = await drainStatements(product, backlog, channel);
    }
    for (let run = 0; run < runs; run += 1) {
      await fill(product, tenant, backlog, 'email');
      const environment = {
        REDIS_URL: await services.redis(),
        REDIS_PREFIX: `bench-${run}-${Date.now()}`,
        KAFKA_BROKERS: await services.kafka(),
        KAFKA_PREFIX: `bench-${run}-${Date.now()}`,
      };
      const worker = await product.start('worker', environment, profiles);
      const seconds = await drained(product);
      await worker.stop();
      await verify(product, backlog, 'email');
      kafka.push(backlog / seconds);
      say(`e-mail through Kafka and Redis, run ${run + 1} of ${runs}: ${Math.round(backlog / seconds)} deliveries/s`);
    }
    figures['email_through_kafka_per_second'] = median(kafka);
    const peers: { name: string; value: number }[] = [];
    for (const queue of peerQueues) {
      const value = await peerDrain(product, tenant, backlog / 3, queue, await services.redis());
      peers.push({ name: queue, value });
      figures[`${queue}_per_second`] = value;
      say(`${queue}: ${Math.round(value)} deliveries/s`);
    }
    await product.clean();
    const rate = figures['email_per_second']!;
    const limit = figures['email_statements_alone_per_second']!;
    return {
      id: 'B4',
      work: this.title,
      figures,
      headline: { name: 'drain into the sandbox', value: rate, unit: '/s' },
      limit: { name: 'claim, load, intent and record alone', value: limit },
      peers,
      ratio: rate / limit,
      floor: 0.05,
      targets: [
        { name: 'drain ≥ 10,000/s on Postgres', met: rate >= 10_000 },
        { name: '≥ 8,000/s on Kafka', met: median(kafka) >= 8_000 },
        { name: 'ahead of every peer', met: peers.every(({ value }) => rate > value && median(kafka) > value) },
        { name: '≤ 0.1 statements a delivery', met: figures['email_statements_per_delivery']! <= 0.1 },
      ],
    };
  },
};

export async function fill(
  product: BenchEnvironment,
  tenant: BenchTenant,
  backlog: number,
  channel: Channel,
  clean = true,
): Promise<void> {
  if (clean) await product.clean();
  const api = await product.start('api');
  const people = backlog / 5;
  for (let turn = 0; turn < 5; turn += 1) {
    for (let first = 0; first < people; first += PER_CALL) {
      const recipients = Array.from({ length: Math.min(PER_CALL, people - first) }, (_, index) => ({
        recipient_id: `user-${first + index}`,
      }));
      await load({
        port: api.port,
        path: '/api/v1/notifications/bulk',
        connections: 1,
        requests: 1,
        recipients: 1,
        headers: { 'X-API-Key': tenant.apiKey },
        body: JSON.stringify({ channel, template_id: 'welcome', payload: { name: 'Alice' }, recipients }),
      });
    }
  }
  await api.stop();
  check('deliveries due', await product.count('select count(*) from due_deliveries'), backlog);
  await product.sql.query('vacuum analyze notifications, deliveries, due_deliveries');
  await product.sql.query('checkpoint');
}

/** From the first to the last final delivery, so the start of the worker is not measured. */
export async function drained(product: BenchEnvironment, since = new Date(0)): Promise<number> {
  await untilDrained(product);
  const { rows } = await product.sql.query<{ seconds: string }>(
    'select extract(epoch from max(sent_at) - min(sent_at)) as seconds from deliveries where sent_at >= $1',
    [since],
  );
  return Number(rows[0]!.seconds);
}

export async function untilDrained(product: BenchEnvironment): Promise<void> {
  while ((await product.count('select count(*) from due_deliveries')) > 0) await delay(50);
}

async function verify(product: BenchEnvironment, backlog: number, channel: Channel): Promise<void> {
  check('deliveries sent', await product.count(`select count(*) from deliveries where state = 'sent'`), backlog);
  check(
    'notifications sent',
    await product.count(`select count(*) from notifications where final_status = 'sent'`),
    backlog,
  );
  if (channel === 'email')
    check(
      'attempts',
      await product.count(`select count(*) from attempts where outcome = 'sent' and number = 1`),
      backlog,
    );
  else
    check('inbox items', await product.count('select count(distinct (recipient_id, seq)) from inbox_items'), backlog);
}

async function wal(product: BenchEnvironment): Promise<number> {
  return product.count(`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as count`);
}

/** Statements that the server has run. Each is one transaction, except for a few of housekeeping. */
async function calls(product: BenchEnvironment): Promise<number> {
  await product.sql.query('select pg_stat_force_next_flush()');
  return product.count('select xact_commit as count from pg_stat_database where datname = current_database()');
}

/** The same deliveries, tables and steps with a job queue: bench/peers/seven-steps.ts. */
async function peerDrain(
  product: BenchEnvironment,
  tenant: BenchTenant,
  backlog: number,
  queue: (typeof peerQueues)[number],
  redisUrl: string,
): Promise<number> {
  const whole = Math.floor(backlog / 5) * 5;
  await fill(product, tenant, whole, 'email');
  await product.sql.query('truncate due_deliveries');
  const environment = { DATABASE_URL: product.databaseUrl, REDIS_URL: redisUrl };
  await startPeer('enqueue.ts', [queue], environment);
  await product.sql.query('vacuum analyze');
  await product.sql.query('checkpoint');
  const peer = await startPeer('worker.ts', [queue], environment);
  while ((await product.count(`select count(*) from deliveries where state = 'waiting'`)) > 0) await delay(100);
  await peer.stop();
  await verify(product, whole, 'email');
  const { rows: spans } = await product.sql.query<{ seconds: string }>(
    'select extract(epoch from max(sent_at) - min(sent_at)) as seconds from deliveries',
  );
  return whole / Number(spans[0]!.seconds);
}
