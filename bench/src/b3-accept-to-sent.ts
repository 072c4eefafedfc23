import { setTimeout as delay } from 'node:timers/promises';
import { load } from './bench-environment.ts';
import { type Context, check, type Figures, percentile, type Scenario } from './scenario.ts';

const SIZES = {
  smoke: { rates: [200], seconds: 3 },
  small: { rates: [200, 500, 1_000], seconds: 5 },
  full: { rates: [200, 500, 1_000], seconds: 15 },
};
const BODY = '{"recipient_id":"user-{r}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}';

export const b3: Scenario = {
  id: 'B3',
  title: 'accept to sent: requests at random times, from the client writing the request to the record of the send',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { rates, seconds } = SIZES[size];
    const tenant = await product.tenant(20_000);
    const api = await product.start('api', {}, profiles);
    const worker = await product.start('worker', {}, profiles);
    const order = {
      port: api.port,
      path: '/api/v1/notifications',
      connections: 256,
      headers: { 'X-API-Key': tenant.apiKey },
      body: BODY,
      recipients: 20_000,
    };
    const figures: Record<string, number> = {};
    await load({ ...order, requests: 1_000, rate: 300 });
    for (const rate of rates) {
      await product.clean();
      const requests = rate * seconds;
      const result = await load({ ...order, requests, rate, keyPrefix: `r${rate}-` });
      check('requests answered with 202', result.statuses['202'] ?? 0, requests);
      for (let tries = 0; (await product.count(`select count(*) from due_deliveries`)) > 0 && tries < 100; tries += 1)
        await delay(100);
      const { rows } = await product.sql.query<{ notification_id: string; sent: string }>(
        `select d.notification_id, extract(epoch from a.ended_at) * 1000 as sent from deliveries d join attempts a on a.tenant_id = d.tenant_id and a.delivery_id = d.id where a.outcome = 'sent'`,
      );
      check('deliveries sent', rows.length, requests);
      const sent = new Map(rows.map((row) => [row.notification_id, Number(row.sent)]));
      const times = result.ids!.map((id, number) => sent.get(id)! - result.sentAt![number]!);
      figures[`p50_ms_at_${rate}`] = percentile(times, 0.5);
      figures[`p99_ms_at_${rate}`] = percentile(times, 0.99);
      figures[`p999_ms_at_${rate}`] = percentile(times, 0.999);
      say(
        `${rate}/s: p50 ${figures[`p50_ms_at_${rate}`]!.toFixed(1)} ms, p99 ${figures[`p99_ms_at_${rate}`]!.toFixed(1)} ms`,
      );
    }
    await worker.stop();
    await api.stop();
    say('the limit');
    const limit = await floorOfSteps(product);
    await product.clean();
    const shown = rates.includes(500) ? 500 : rates[0]!;
    const p50 = figures[`p50_ms_at_${shown}`]!;
    return {
      id: 'B3',
      work: this.title,
      figures,
      headline: { name: `accept to sent, p50 at ${shown}/s`, value: p50, unit: 'ms' },
      limit: { name: 'four commits and a NOTIFY, one after the other', value: limit },
      peers: [],
      ratio: limit / p50,
      floor: 0.02,
      targets: rates.includes(500) ? [{ name: 'p50 ≤ 15 ms at 500/s', met: p50 <= 15 }] : [],
    };
  },
};

/** The limit: accept, claim, intent and record as one commit each, and a NOTIFY, in sequence. */
async function floorOfSteps(product: Context['product']): Promise<number> {
  await product.sql.query(
    'create unlogged table if not exists bench_floor (n int); drop table bench_floor; create table bench_floor (n int)',
  );
  const times: number[] = [];
  for (let turn = 0; turn < 200; turn += 1) {
    const startedAt = performance.now();
    for (let commit = 0; commit < 4; commit += 1)
      await product.sql.query('insert into bench_floor values ($1)', [turn]);
    await product.sql.query(`select pg_notify('bench', 'x')`);
    times.push(performance.now() - startedAt);
  }
  await product.sql.query('drop table bench_floor');
  return percentile(times, 0.5);
}
