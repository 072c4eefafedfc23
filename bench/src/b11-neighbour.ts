import { setTimeout as delay } from 'node:timers/promises';
import { fillDeliveries } from './fill.ts';
import { type BenchTenant, type House, load } from './house.ts';
import { type Context, check, type Figures, percentile, type Scenario } from './scenario.ts';

const SIZES = {
  smoke: { flood: 5_000, seconds: 3 },
  small: { flood: 50_000, seconds: 5 },
  full: { flood: 100_000, seconds: 10 },
};
const RATE = 10;

export const b11: Scenario = {
  id: 'B11',
  title: 'noisy neighbour: one tenant floods, another sends ten a second; from its request to its send',
  async run({ house, size, say }: Context): Promise<Figures> {
    const { flood, seconds } = SIZES[size];
    const [noisy, quiet] = [await house.tenant(flood / 5), await house.tenant(1_000)];
    const api = await house.start('api');
    const worker = await house.start('worker');
    const alone = await quietTimes(house, quiet, api.port, seconds, 'alone');
    await fillDeliveries(house, noisy, flood, { dueAt: new Date(), recipients: flood / 5 });
    const beside = await quietTimes(house, quiet, api.port, seconds, 'beside');
    const left = await house.count('select count(*) from due_deliveries where tenant_id = $1', [noisy.id]);
    while ((await house.count('select count(*) from due_deliveries')) > 0) await delay(200);
    await worker.stop();
    await api.stop();
    const [p99Alone, p99Beside] = [percentile(alone, 0.99), percentile(beside, 0.99)];
    say(
      `p99 alone ${p99Alone.toFixed(0)} ms, beside the flood ${p99Beside.toFixed(0)} ms; ${left} of the flood were left then`,
    );
    return {
      id: 'B11',
      work: this.title,
      figures: {
        flood,
        p50_alone_ms: percentile(alone, 0.5),
        p99_alone_ms: p99Alone,
        p50_beside_ms: percentile(beside, 0.5),
        p99_beside_ms: p99Beside,
      },
      headline: { name: 'p99 beside the flood', value: p99Beside, unit: 'ms' },
      limit: { name: 'alone', value: p99Alone },
      peers: [],
      ratio: p99Alone / p99Beside,
      floor: 0.01,
      targets: [{ name: '≤ 3x alone', met: p99Beside <= 3 * p99Alone }],
    };
  },
};

async function quietTimes(
  house: House,
  tenant: BenchTenant,
  port: number,
  seconds: number,
  prefix: string,
): Promise<number[]> {
  // The first second warms up: connections, plans, the worker's first claims.
  const requests = RATE * (seconds + 1);
  const result = await load({
    port,
    path: '/api/v1/notifications',
    connections: 16,
    headers: { 'X-API-Key': tenant.apiKey },
    body: '{"recipient_id":"user-{n}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}',
    recipients: 1,
    requests,
    rate: RATE,
    keyPrefix: prefix,
  });
  check('requests answered with 202', result.statuses['202'] ?? 0, requests);
  const sent = async (): Promise<Map<string, number>> => {
    const { rows } = await house.sql.query<{ id: string; sent: string }>(
      `select d.notification_id as id, extract(epoch from a.ended_at) * 1000 as sent from deliveries d join attempts a on a.tenant_id = d.tenant_id and a.delivery_id = d.id
       where d.tenant_id = $1 and d.notification_id = any ($2::uuid[])`,
      [tenant.id, result.ids],
    );
    return new Map(rows.map((row) => [row.id, Number(row.sent)]));
  };
  let found = await sent();
  for (let tries = 0; found.size < requests && tries < 200; tries += 1) {
    await delay(100);
    found = await sent();
  }
  check('sent', found.size, requests);
  return result.ids!.map((id, number) => found.get(id)! - result.sentAt![number]!).slice(RATE);
}
