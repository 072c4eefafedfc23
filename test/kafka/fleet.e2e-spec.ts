// One deployment of two APIs and three workers, with Kafka and Redis, which are killed and restarted.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '#testing';
import { type KafkaService, startKafka } from '../../services/kafka.ts';
import { type RunningProcess, roleEnvironment, startRole } from '../processes.js';
import {
  CONTENT,
  http,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
  tenantWith,
} from '../test-environment.js';

const LEASE_SECONDS = 10;
const TENANTS = 50;
const BULKS = 3;
const PER_BULK = 100;
const KEYS = 20;
const PER_KEY = 5;
const TOTAL = TENANTS * (BULKS * PER_BULK + KEYS * PER_KEY);

let directory: string;
let kafka: KafkaService;
let app: TestEnvironment;
let environment: Record<string, string>;
const running: RunningProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-fleet-'));
  // Its own broker, because the test kills it.
  kafka = await startKafka({ directory, jars: join(import.meta.dirname, '../../.services') });
  app = await startTestEnvironment({ worker: false, environment: { KAFKA_BROKERS: kafka.brokers } });
  environment = {
    ...roleEnvironment(app),
    KAFKA_BROKERS: kafka.brokers,
    LEASE_SECONDS: String(LEASE_SECONDS),
  };
}, 120_000);
afterAll(async () => {
  await Promise.all(running.map((one) => one.kill()));
  await app?.stop();
  await kafka?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(role: 'api' | 'worker'): Promise<RunningProcess> {
  const started = await startRole(role, environment);
  running.push(started);
  return started;
}
const count = async (text: string): Promise<number> => Number((await app.sql.query(text)).rows[0].count);
const left = (): Promise<number> => count('select count(*) from due_deliveries');
/** The messages captured by the sandbox, one row per send. */
const sends = (): Promise<number> => count('select count(*) from mailbox_messages');
/** A client of the same tenant for another process. */
const through = (api: RunningProcess, { id, apiKey }: Tenant): Tenant =>
  tenantWith((method, path, options) => http(api.url, method, path, options), id, apiKey);

/** A careful client: one key per call, and a retry after a 503. */
async function post(tenant: Tenant, path: string, body: Record<string, unknown>, key: string): Promise<Json> {
  for (;;) {
    const answer = await tenant.call('POST', path, body, { 'Idempotency-Key': key });
    if (answer.status === 202) return answer.body;
    if (answer.status !== 503) throw new Error(`${answer.status}: ${JSON.stringify(answer.body)}`);
    await new Promise((resolve) => setTimeout(resolve, 1_000 * Number(answer.headers.get('retry-after'))));
  }
}

async function accept(apis: RunningProcess[], tenants: Tenant[]): Promise<void> {
  let turn = 0;
  const next = (tenant: Tenant): Tenant => {
    turn += 1;
    return through(apis[turn % apis.length]!, tenant);
  };
  const acceptOne = async (tenant: Tenant): Promise<void> => {
    for (let bulk = 0; bulk < BULKS; bulk += 1) {
      const recipients = Array.from({ length: PER_BULK }, (_, index) => ({
        recipient: { id: `p${index}`, email: `p${bulk}-${index}@example.com` },
      }));
      const body = { channel: 'email', content: CONTENT.email, recipients };
      const answer = await post(next(tenant), '/api/v1/notifications/bulk', body, `bulk-${bulk}`);
      expect(answer.accepted).toHaveLength(PER_BULK);
    }
    for (let place = 0; place < PER_KEY; place += 1) {
      // In sequence for each key, so that the order of acceptance is known; keys in parallel.
      await Promise.all(
        Array.from({ length: KEYS }, (_, key) => {
          const body = {
            recipient_id: `k${key}-${place}`,
            recipient_address: `k${key}-${place}@example.com`,
            channel: 'email',
            content: CONTENT.email,
            ordering_key: `key-${key}`,
          };
          return post(next(tenant), '/api/v1/notifications', body, `single-${key}-${place}`);
        }),
      );
    }
  };
  const waiting = [...tenants];
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      for (let tenant = waiting.shift(); tenant; tenant = waiting.shift()) await acceptOne(tenant);
    }),
  );
}

describe('two APIs and three workers', () => {
  it('send 20,000 notifications of 50 tenants once each, in order per key, despite the loss of a worker and of the broker; reading the topics again sends nothing', async () => {
    const apis = [await start('api'), await start('api')];
    const workers = await Promise.all([start('worker'), start('worker'), start('worker')]);
    const tenants: Tenant[] = [];
    for (let index = 0; index < TENANTS; index += 1) {
      tenants.push(await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } }));
    }
    const accepted = accept(apis, tenants);
    accepted.catch(() => undefined);
    await until('a quarter is sent', async () => (await sends()) > TOTAL / 4, 60_000);
    await workers[0]!.kill();
    await until('half is sent', async () => (await sends()) > TOTAL / 2, 60_000);
    await kafka.kill();
    await kafka.start();
    await accepted;
    await until('all are final', async () => (await left()) === 0, 120_000);

    expect(await count(`select count(*) from deliveries where state = 'sent'`)).toBe(TOTAL);
    expect(await count('select count(distinct delivery_id) from mailbox_messages')).toBe(TOTAL);
    const extra = (await sends()) - TOTAL;
    // Each of them was in flight in the killed worker, or ran past its deadline on a slow machine, and has a recorded
    // unknown outcome.
    const unknown = await count(`select count(*) from attempts where outcome = 'unknown'`);
    const repeated = await count(`select count(distinct delivery_id) from attempts where outcome = 'unknown'`);
    console.log(`fleet: ${TOTAL} sent, ${extra} twice, ${unknown} attempts with an unknown outcome after one SIGKILL`);
    expect(extra).toBeLessThanOrEqual(unknown);
    expect(await count(`select count(*) from attempts where outcome = 'sent' and number > 1`)).toBe(repeated);

    const { rows } = await app.sql.query<{ disorder: string }>(`
      select count(*) as disorder from (
        select first_sent, lag(first_sent) over (partition by tenant_id, ordering_key order by id) as before from (
          select n.tenant_id, n.ordering_key, n.id, min(m.created_at) as first_sent
          from notifications n join mailbox_messages m on m.tenant_id = n.tenant_id and m.notification_id = n.id
          where n.ordering_key is not null group by n.tenant_id, n.ordering_key, n.id
        ) sent
      ) pairs where before > first_sent`);
    expect(Number(rows[0]!.disorder)).toBe(0);

    // Reads all topics again from the start.
    await Promise.all(workers.map((worker) => worker.stop()));
    const before = await sends();
    const admin = new kafkajs.Kafka({
      brokers: [kafka.brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
    await admin.connect();
    const prefix = environment['KAFKA_PREFIX']!;
    const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId);
    await admin.deleteGroups(groups.filter((name) => name.startsWith(`${prefix}.workers.`)));
    const topic = `${prefix}.deliveries.email.normal`;
    const ends = (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
    expect(ends).toBeGreaterThanOrEqual(TOTAL);
    await start('worker');
    await until(
      'the topic was read again',
      async () => {
        const [place] = await admin.fetchOffsets({ groupId: `${prefix}.workers.email`, topics: [topic] });
        return place!.partitions.reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0) === ends;
      },
      60_000,
    );
    await admin.disconnect();
    expect(await sends()).toBe(before);
  }, 300_000);

  it('show the records of any worker on each API, and read marks of the other API', async () => {
    const [one, two] = [await start('api'), await start('api')];
    const tenant = await app.tenant();
    const { token } = (await through(one, tenant).call('POST', '/api/v1/recipients/ann/inbox-token', {})).body;
    const socket = new WebSocket(`${one.url.replace('http', 'ws')}/api/v1/inbox/stream`, ['carillon.v1', token]);
    const frames: { type: string; id?: string; item?: { id: string } }[] = [];
    socket.on('message', (data) => frames.push(JSON.parse(String(data))));
    await until('it is ready', () => frames.some(({ type }) => type === 'ready'));
    await through(two, tenant).send({ recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app });
    const { item } = await until('the item is there', () => frames.find(({ type }) => type === 'item'), 20_000);
    const mark = await through(two, tenant).call('POST', `/api/v1/inbox/${item!.id}/read`, undefined, {
      'X-Recipient-ID': 'ann',
    });
    expect(mark.status).toBe(204);
    await until('the mark is there', () => frames.some(({ type, id }) => type === 'item_changed' && id === item!.id));
    socket.terminate();
  }, 60_000);

  it('refuse a key that was revoked at another process at once', async () => {
    const [one, two] = running.filter(({ url, child }) => url !== '' && child.exitCode === null).slice(-2);
    const tenant = await app.tenant();
    for (const api of [one!, two!])
      expect(
        (await through(api, tenant).call('GET', '/api/v1/inbox/counts', undefined, { 'X-Recipient-ID': 'x' })).status,
      ).toBe(200);
    const keys = await app.operator('GET', `/internal/tenants/${tenant.id}/api-keys`);
    const revoked = await http(one!.url, 'DELETE', `/internal/tenants/${tenant.id}/api-keys/${keys.body.data[0].id}`, {
      headers: { 'X-Admin-Token': app.config.adminToken },
    });
    expect(revoked.status).toBe(204);
    await until(
      'the other refuses it',
      async () => {
        const { status } = await through(two!, tenant).call('GET', '/api/v1/inbox/counts', undefined, {
          'X-Recipient-ID': 'x',
        });
        return status === 401;
      },
      2_000,
    );
  });

  it('are replaced one by one under load: nothing lost, nothing sent twice', async () => {
    const api = running.find(({ url, child }) => url !== '' && child.exitCode === null)!;
    let workers = [running.at(-1)!.url === '' ? running.at(-1)! : await start('worker'), await start('worker')];
    const tenant = await app.tenant({ recipient_limits: { email: { limit: 10_000, window_seconds: 60 } } });
    const from = await count('select count(*) from deliveries');
    let stop = false;
    let sent = 0;
    const load = (async () => {
      for (; !stop; sent += 50) {
        const recipients = Array.from({ length: 50 }, (_, index) => ({
          recipient_id: `r${index}`,
          recipient_address: `r${index}@example.com`,
        }));
        const body = { channel: 'email', content: CONTENT.email, recipients };
        await post(through(api, tenant), '/api/v1/notifications/bulk', body, `rolling-${sent}`);
      }
    })();
    for (let turn = 0; turn < 3; turn += 1) {
      const [oldest, ...rest] = workers;
      workers = [...rest, await start('worker')];
      expect(await oldest!.stop()).toBe(0);
    }
    stop = true;
    await load;
    await until('all are final', async () => (await left()) === 0, 60_000);
    expect(sent).toBeGreaterThan(100);
    expect((await count('select count(*) from deliveries')) - from).toBe(sent);
    expect(await count(`select count(*) from attempts where tenant_id = '${tenant.id}' and outcome <> 'sent'`)).toBe(0);
    expect(await count(`select count(*) from attempts where tenant_id = '${tenant.id}'`)).toBe(sent);
  }, 120_000);
});
