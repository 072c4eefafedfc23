import { setTimeout as delay } from 'node:timers/promises';
import { rss } from './b6-sockets.ts';
import { type BenchEnvironment, type BenchTenant, load, uuid7 } from './bench-environment.ts';
import { type Context, check, type Figures, percentile, type Scenario } from './scenario.ts';
import { sendTimes } from './send-times.ts';

const SIZES = {
  smoke: { members: 10_000, seconds: 3 },
  small: { members: 100_000, seconds: 10 },
  full: { members: 1_000_000, seconds: 20 },
};
const RATE = 10;
const MEGABYTE = 1_048_576;
/** Subscriptions that one statement inserts. */
const SLICE = 50_000;
/** Workers do not send on the channel of the topic, so that the creation of its deliveries is measured alone. */
const WORKER = { WORKER_CHANNELS: 'email' };
const TOPIC_CHANNEL = 'sms';

export const b5: Scenario = {
  id: 'B5',
  title:
    'broadcast: the deliveries of a send to a topic are created by its job; workers are killed; another tenant sends beside it',
  async run({ product, size, say }: Context): Promise<Figures> {
    const { members, seconds } = SIZES[size];
    const [noisy, quiet] = [await product.tenant(1), await product.tenant(1_000)];
    const topicId = await subscribe(product, noisy, members);
    await product.sql.query('vacuum analyze');
    say(`${members} members`);
    const limit = await insertSelect(product, noisy, topicId, members);
    await product.clean();
    say(`INSERT … SELECT of the same rows: ${Math.round(limit)} members/s`);

    const api = await product.start('api');
    const alone = await expandAlone(product, noisy, api.port, members);
    say(`job: ${Math.round(alone.rate)} members/s; memory of the worker +${alone.growthMb.toFixed(0)} MB`);
    await product.clean();

    await killTwice(product, noisy, api.port, members);
    say('two workers killed: one delivery for each member');
    await product.clean();

    const worker = await product.start('worker', WORKER);
    const stream = { product, tenant: quiet, port: api.port, rate: RATE, seconds };
    const timesAlone = await sendTimes({ ...stream, prefix: 'alone' });
    const sends = Math.ceil(((seconds + 2) * alone.rate) / members);
    for (let send = 0; send < sends; send += 1) await sendToTopic(noisy, api.port);
    const timesBeside = await sendTimes({ ...stream, prefix: 'beside' });
    const left = await product.count(`select count(*) from jobs where state = 'running'`);
    await worker.stop();
    await api.stop();
    const [p99Alone, p99Beside] = [percentile(timesAlone, 0.99), percentile(timesBeside, 0.99)];
    say(
      `p99 of another tenant alone ${p99Alone.toFixed(0)} ms, beside ${p99Beside.toFixed(0)} ms; ${left} jobs were left`,
    );
    return {
      id: 'B5',
      work: this.title,
      figures: {
        members,
        job_per_second: alone.rate,
        insert_select_per_second: limit,
        worker_growth_mb: alone.growthMb,
        p50_alone_ms: percentile(timesAlone, 0.5),
        p99_alone_ms: p99Alone,
        p50_beside_ms: percentile(timesBeside, 0.5),
        p99_beside_ms: p99Beside,
      },
      headline: { name: 'members expanded', value: alone.rate, unit: '/s' },
      limit: { name: 'one INSERT … SELECT of the same rows', value: limit },
      peers: [],
      ratio: alone.rate / limit,
      floor: 0.1,
      targets: [
        { name: 'job ≤ 2x the INSERT … SELECT', met: alone.rate >= limit / 2 },
        { name: 'memory ± 50 MB', met: Math.abs(alone.growthMb) <= 50 },
        { name: 'another tenant: p99 ≤ 3x', met: p99Beside <= 3 * p99Alone },
      ],
    };
  },
};

async function subscribe(product: BenchEnvironment, tenant: BenchTenant, members: number): Promise<string> {
  const topicId = uuid7();
  await product.sql.query(
    `insert into topics (tenant_id, id, key, name, subscribers) values ($1, $2, 'all', 'All', $3)`,
    [tenant.id, topicId, members],
  );
  for (let done = 0; done < members; done += SLICE)
    await product.sql.query(
      `insert into subscriptions (tenant_id, topic_id, recipient_id)
       select $1, $2, 'member-' || n from generate_series($3::int, $4::int) n`,
      [tenant.id, topicId, done + 1, Math.min(done + SLICE, members)],
    );
  return topicId;
}

/** Members per second of one statement that writes the same rows, ids included, in one transaction. */
async function insertSelect(
  product: BenchEnvironment,
  tenant: BenchTenant,
  topicId: string,
  members: number,
): Promise<number> {
  await product.sql.query('checkpoint');
  const startedAt = performance.now();
  const { rowCount } = await product.sql.query(
    `with new_deliveries as materialized (
       select tenant_id, uuidv7() as id, recipient_id from subscriptions where tenant_id = $1 and topic_id = $2
     ), inserted as (
       insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, of_topic)
       select tenant_id, id, $3::uuid, recipient_id, '${TOPIC_CHANNEL}', true from new_deliveries
     )
     insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, message_key)
     select tenant_id, id, '${TOPIC_CHANNEL}', 2, now(), hashtext(tenant_id::text || recipient_id) from new_deliveries`,
    [tenant.id, topicId, uuid7()],
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  check('rows of the INSERT … SELECT', rowCount!, members);
  return members / seconds;
}

async function sendToTopic(tenant: BenchTenant, port: number): Promise<void> {
  const result = await load({
    port,
    path: '/api/v1/notifications',
    connections: 1,
    requests: 1,
    recipients: 1,
    headers: { 'X-API-Key': tenant.apiKey },
    body: JSON.stringify({ topic: 'all', channel: TOPIC_CHANNEL, content: { text: 'Hello' } }),
  });
  check('sends to the topic accepted', result.statuses['202'] ?? 0, 1);
}

const done = (product: BenchEnvironment): Promise<number> =>
  product.count(`select coalesce(sum(done), 0) as count from jobs where finished_at is null`);
const areRunning = async (product: BenchEnvironment): Promise<boolean> =>
  (await product.count('select count(*) from jobs where finished_at is null')) > 0;

/** Members per second, from the first to the last chunk, and the growth of the worker's memory meanwhile. */
async function expandAlone(
  product: BenchEnvironment,
  tenant: BenchTenant,
  port: number,
  members: number,
): Promise<{ rate: number; growthMb: number }> {
  const worker = await product.start('worker', WORKER);
  // A worker that has just started grows by itself.
  await delay(3_000);
  await product.sql.query('checkpoint');
  await sendToTopic(tenant, port);
  const memory: number[] = [];
  while (await areRunning(product)) {
    memory.push(rss(worker.pid) / MEGABYTE);
    await delay(50);
  }
  await worker.stop();
  const { rows } = await product.sql.query<{ seconds: string }>(
    'select extract(epoch from finished_at - started_at) as seconds from jobs order by id desc limit 1',
  );
  await verify(product, members);
  return { rate: members / Number(rows[0]!.seconds), growthMb: Math.max(...memory) - memory[0]! };
}

async function killTwice(product: BenchEnvironment, tenant: BenchTenant, port: number, members: number): Promise<void> {
  await sendToTopic(tenant, port);
  for (const share of [1 / 3, 2 / 3]) {
    const worker = await product.start('worker', WORKER);
    while ((await done(product)) < members * share) await delay(5);
    await worker.kill();
  }
  check('jobs left after the kills', await product.count('select count(*) from jobs where finished_at is null'), 1);
  const worker = await product.start('worker', WORKER);
  while (await areRunning(product)) await delay(50);
  await worker.stop();
  await verify(product, members);
}

async function verify(product: BenchEnvironment, members: number): Promise<void> {
  check('deliveries', await product.count('select count(*) from deliveries'), members);
  check('recipients', await product.count('select count(distinct recipient_id) from deliveries'), members);
  check('due deliveries', await product.count('select count(*) from due_deliveries'), members);
  check('total', await product.count('select total as count from notifications'), members);
}
