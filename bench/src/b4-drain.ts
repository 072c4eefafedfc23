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
  title: 'drain: a backlog through all seven steps, by one worker, into the sandbox (e-mail) and into inboxes',
  async run({ house, services, size, say, profiles }: Context): Promise<Figures> {
    const { backlog, runs } = SIZES[size];
    // Five each, below the default limit of ten an hour: the limiter is asked, and grants.
    const tenant = await house.tenant(backlog / 5);
    const figures: Record<string, number> = {};
    const kafka: number[] = [];
    const rates: Record<Channel, number[]> = { email: [], in_app: [] };
    for (const channel of ['email', 'in_app'] as const) {
      for (let run = 0; run < runs; run += 1) {
        await fill(house, tenant, backlog, channel);
        const before = await wal(house);
        const statements = await calls(house);
        const worker = await house.start('worker', {}, profiles);
        const seconds = await drained(house);
        await worker.stop();
        await verify(house, backlog, channel);
        rates[channel].push(backlog / seconds);
        figures[`${channel}_wal_bytes_per_delivery`] = ((await wal(house)) - before) / backlog;
        figures[`${channel}_statements_per_delivery`] = ((await calls(house)) - statements) / backlog;
        say(`${channel}, run ${run + 1} of ${runs}: ${Math.round(backlog / seconds)} deliveries/s`);
      }
      figures[`${channel}_per_second`] = median(rates[channel]);
      say(`${channel}: the limit`);
      await fill(house, tenant, backlog, channel);
      figures[`${channel}_statements_alone_per_second`] = await drainStatements(house, backlog, channel);
    }
    for (let run = 0; run < runs; run += 1) {
      await fill(house, tenant, backlog, 'email');
      const environment = {
        REDIS_URL: await services.redis(),
        REDIS_PREFIX: `bench-${run}-${Date.now()}`,
        KAFKA_BROKERS: await services.kafka(),
        KAFKA_PREFIX: `bench-${run}-${Date.now()}`,
      };
      const worker = await house.start('worker', environment, profiles);
      const seconds = await drained(house);
      await worker.stop();
      await verify(house, backlog, 'email');
      kafka.push(backlog / seconds);
      say(`e-mail through Kafka and Redis, run ${run + 1} of ${runs}: ${Math.round(backlog / seconds)} deliveries/s`);
    }
    figures['email_through_kafka_per_second'] = median(kafka);
    const peers: { name: string; value: number }[] = [];
    for (const queue of peerQueues) {
      const value = await peerDrain(house, tenant, backlog / 3, queue, await services.redis());
      peers.push({ name: queue, value });
      figures[`${queue}_per_second`] = value;
      say(`${queue}: ${Math.round(value)} deliveries/s`);
    }
    await house.clean();
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
  house: BenchEnvironment,
  tenant: BenchTenant,
  backlog: number,
  channel: Channel,
  clean = true,
): Promise<void> {
  if (clean) await house.clean();
  const api = await house.start('api');
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
  check('deliveries due', await house.count('select count(*) from due_deliveries'), backlog);
  await house.sql.query('vacuum analyze notifications, deliveries, due_deliveries');
  await house.sql.query('checkpoint');
}

/** From the first delivery that is final to the last, so that the start of the worker is not counted. */
export async function drained(house: BenchEnvironment, since = new Date(0)): Promise<number> {
  await untilDrained(house);
  const { rows } = await house.sql.query<{ seconds: string }>(
    'select extract(epoch from max(sent_at) - min(sent_at)) as seconds from deliveries where sent_at >= $1',
    [since],
  );
  return Number(rows[0]!.seconds);
}

export async function untilDrained(house: BenchEnvironment): Promise<void> {
  while ((await house.count('select count(*) from due_deliveries')) > 0) await delay(50);
}

async function verify(house: BenchEnvironment, backlog: number, channel: Channel): Promise<void> {
  check('deliveries sent', await house.count(`select count(*) from deliveries where state = 'sent'`), backlog);
  check(
    'notifications sent',
    await house.count(`select count(*) from notifications where final_status = 'sent'`),
    backlog,
  );
  if (channel === 'email')
    check(
      'attempts',
      await house.count(`select count(*) from attempts where outcome = 'sent' and number = 1`),
      backlog,
    );
  else check('inbox items', await house.count('select count(distinct (recipient_id, seq)) from inbox_items'), backlog);
}

async function wal(house: BenchEnvironment): Promise<number> {
  return house.count(`select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as count`);
}

/** Statements the server has run: each is a transaction of its own here, but for the few of housekeeping. */
async function calls(house: BenchEnvironment): Promise<number> {
  await house.sql.query('select pg_stat_force_next_flush()');
  return house.count('select xact_commit as count from pg_stat_database where datname = current_database()');
}

/** The same deliveries, the same tables, the same steps, around a job queue: bench/peers/seven-steps.ts. */
async function peerDrain(
  house: BenchEnvironment,
  tenant: BenchTenant,
  backlog: number,
  queue: (typeof peerQueues)[number],
  redisUrl: string,
): Promise<number> {
  const whole = Math.floor(backlog / 5) * 5;
  await fill(house, tenant, whole, 'email');
  await house.sql.query('truncate due_deliveries');
  const environment = { DATABASE_URL: house.databaseUrl, REDIS_URL: redisUrl };
  await startPeer('enqueue.ts', [queue], environment);
  await house.sql.query('vacuum analyze');
  await house.sql.query('checkpoint');
  const peer = await startPeer('worker.ts', [queue], environment);
  while ((await house.count(`select count(*) from deliveries where state = 'waiting'`)) > 0) await delay(100);
  await peer.stop();
  await verify(house, whole, 'email');
  const { rows: spans } = await house.sql.query<{ seconds: string }>(
    'select extract(epoch from max(sent_at) - min(sent_at)) as seconds from deliveries',
  );
  return whole / Number(spans[0]!.seconds);
}
