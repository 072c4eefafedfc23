import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchEnvironment, BenchTenant } from './bench-environment.ts';
import { fillDeliveries } from './fill.ts';
import { type Context, check, type Figures, median, percentile, type Scenario } from './scenario.ts';
import { sendTimes } from './send-times.ts';
import { FAKES } from './vendor.ts';

const SIZES = {
  smoke: { backlog: 2_000, later: 20_000, blocked: 20_000, events: 20, seconds: 2, runs: 1 },
  small: { backlog: 30_000, later: 400_000, blocked: 1_000_000, events: 200, seconds: 4, runs: 2 },
  full: { backlog: 50_000, later: 400_000, blocked: 1_000_000, events: 500, seconds: 10, runs: 3 },
};
/** Requests per second of the other tenant. */
const RATE = 20;
const ENDPOINTS = 45;
const ORDERING_KEYS = 1_000;

/** The other load during a drain. `fill` runs before the drain; `start` runs until the returned function is called. */
interface Condition {
  fill?: () => Promise<void>;
  start?: (port: number) => Promise<() => Promise<void>>;
}
interface Measured {
  perSecond: number;
  p99: number;
}

export const b20: Scenario = {
  id: 'B20',
  title:
    'drain beside a backlog: many scheduled for later, many behind their ordering key, 45 webhook endpoints of one tenant, partitions being created; and the p99 of another tenant',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { backlog, later, blocked, events, seconds, runs } = SIZES[size];
    const tenants = { busy: await product.tenant(backlog / 5), quiet: await product.tenant(1_000) };
    const receiver = await receiverOfWebhooks();
    const listening = await product.tenant(1_000);
    const conditions: Record<string, Condition> = {
      alone: {},
      scheduled: { fill: () => fillLater(product, tenants.busy, later) },
      blocked: { fill: () => fillBlocked(product, tenants.busy, blocked) },
      webhooks: { start: (port) => sendWebhooks(product, listening, { port, receiver, events }) },
      partitions: { start: () => makePartitions(product) },
    };
    const measured: Record<string, Measured[]> = {};
    for (let run = 0; run < runs; run += 1) {
      for (const [name, condition] of Object.entries(conditions)) {
        const found = await measure(product, tenants, condition, { backlog, seconds, profiles });
        measured[name] = [...(measured[name] ?? []), found];
        say(
          `${name}, run ${run + 1} of ${runs}: ${Math.round(found.perSecond)} deliveries/s, another tenant's p99 ${found.p99.toFixed(0)} ms`,
        );
      }
    }
    receiver.server.closeAllConnections();
    receiver.server.close();
    const figures: Record<string, number> = { backlog, later, blocked, webhooks_received: receiver.received() };
    for (const [name, found] of Object.entries(measured)) {
      figures[`${name}_per_second`] = median(found.map(({ perSecond }) => perSecond));
      figures[`${name}_other_p99_ms`] = median(found.map(({ p99 }) => p99));
    }
    const beside = (name: string): number => figures[`${name}_per_second`]! / figures['alone_per_second']!;
    for (const name of Object.keys(conditions)) figures[`${name}_ratio`] = beside(name);
    return {
      id: 'B20',
      work: this.title,
      figures,
      headline: {
        name: `drain beside ${later} scheduled for later`,
        value: figures['scheduled_per_second']!,
        unit: '/s',
      },
      limit: { name: 'the drain alone', value: figures['alone_per_second']! },
      peers: [],
      ratio: Math.min(beside('scheduled'), beside('blocked')),
      floor: 0.4,
      targets: [
        { name: `beside ${later} scheduled ≥ 0.9`, met: beside('scheduled') >= 0.9 },
        { name: `beside ${blocked} behind ordering keys ≥ 0.9`, met: beside('blocked') >= 0.9 },
        {
          name: "another tenant's p99 ≤ 2x",
          met: Object.keys(conditions).every(
            (name) => figures[`${name}_other_p99_ms`]! <= 2 * figures['alone_other_p99_ms']!,
          ),
        },
      ],
    };
  },
};

async function measure(
  product: BenchEnvironment,
  { busy, quiet }: Record<'busy' | 'quiet', BenchTenant>,
  { fill, start }: Condition,
  { backlog, seconds, profiles }: { backlog: number; seconds: number; profiles: string | undefined },
): Promise<Measured> {
  await product.clean();
  await fill?.();
  await fillDeliveries(product, busy, backlog, { dueAt: new Date(), recipients: backlog / 5 });
  await product.sql.query('vacuum analyze notifications, deliveries, due_deliveries');
  await product.sql.query('checkpoint');
  const api = await product.start('api', FAKES);
  const stop = await start?.(api.port);
  const worker = await product.start('worker', FAKES, profiles);
  const perSecond = backlog / (await drained(product, busy, backlog));
  const times = await sendTimes({
    product,
    tenant: quiet,
    port: api.port,
    rate: RATE,
    seconds,
    prefix: `${Date.now()}`,
  });
  await worker.stop();
  await api.stop();
  await stop?.();
  return { perSecond, p99: percentile(times, 0.99) };
}

/** Seconds from the first to the last send. */
async function drained(product: BenchEnvironment, tenant: BenchTenant, backlog: number): Promise<number> {
  const sent = (): Promise<number> =>
    product.count(`select count(*) from deliveries where tenant_id = $1 and state = 'sent'`, [tenant.id]);
  while ((await sent()) < backlog) await delay(250);
  return product.count(
    'select extract(epoch from max(sent_at) - min(sent_at)) as count from deliveries where tenant_id = $1',
    [tenant.id],
  );
}

/** Inserts only due rows. Workers read the other tables only for due deliveries, and these never become due in this run. */
async function fillLater(product: BenchEnvironment, tenant: BenchTenant, count: number): Promise<void> {
  await product.sql.query(
    `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, reason)
     select $1, uuidv7(), 'email', 2, now() + interval '1 day' * (1 + random()), 'scheduled' from generate_series(1, $2)`,
    [tenant.id, count],
  );
}

/** The head of each key is scheduled for later, so no blocked delivery becomes due. */
async function fillBlocked(product: BenchEnvironment, tenant: BenchTenant, count: number): Promise<void> {
  const insert = `insert into due_deliveries (tenant_id, delivery_id, channel, lane, ordering_key, due_at, reason)`;
  // Skips the trigger, which takes half a minute for a million rows.
  await product.sql.query('set session_replication_role = replica');
  await product.sql.query(
    `${insert} select $1, uuidv7(), 'email', 2, 'key-' || n, now() + interval '1 day', 'scheduled' from generate_series(1, $2::integer) n`,
    [tenant.id, ORDERING_KEYS],
  );
  await product.sql.query(
    `${insert} select $1, uuidv7(), 'email', 2, 'key-' || (1 + n % $3::integer), 'infinity', 'ordering' from generate_series(1, $2::integer) n`,
    [tenant.id, count, ORDERING_KEYS],
  );
  await product.sql.query('reset session_replication_role');
}

interface Receiver {
  server: Server;
  url: string;
  received: () => number;
}

async function receiverOfWebhooks(): Promise<Receiver> {
  let received = 0;
  const server = createServer((request, response) => {
    received += 1;
    request.resume();
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => received,
  };
}

/** A tenant with 45 endpoints sends continuously; each of its deliveries produces an event for each endpoint. */
async function sendWebhooks(
  product: BenchEnvironment,
  tenant: BenchTenant,
  { port, receiver, events }: { port: number; receiver: Receiver; events: number },
): Promise<() => Promise<void>> {
  const headers = { 'X-API-Key': tenant.apiKey, 'Content-Type': 'application/json' };
  const { rows } = await product.sql.query('select id from webhook_endpoints where tenant_id = $1', [tenant.id]);
  for (let made = rows.length; made < ENDPOINTS; made += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/webhooks`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ url: `${receiver.url}/${made}`, events: ['*'] }),
    });
    if (answer.status !== 201) throw new Error(`no endpoint: ${answer.status} ${await answer.text()}`);
  }
  const before = receiver.received();
  await fillDeliveries(product, tenant, events, { dueAt: new Date(), recipients: 1_000 });
  return async () => check('webhooks that arrived, or none', Math.min(1, receiver.received() - before), 1);
}

/** Creates one partition after the other, each a week later. */
async function makePartitions(product: BenchEnvironment): Promise<() => Promise<void>> {
  const sql = await product.connect();
  const made: string[] = [];
  let stopped = false;
  const making = (async () => {
    for (let weeks = 5; !stopped; weeks += 1) {
      for (const parent of ['notifications', 'deliveries', 'attempts', 'delivery_log']) {
        const { rows } = await sql.query('select carillon_make_partition($1, $2) as name', [parent, weeks]);
        if (rows[0].name) made.push(rows[0].name);
      }
      await delay(500);
    }
  })();
  return async () => {
    stopped = true;
    await making;
    check('partitions made, or none', Math.min(1, made.length), 1);
    for (const name of made) await sql.query(`drop table ${name}`);
    await sql.end();
  };
}
