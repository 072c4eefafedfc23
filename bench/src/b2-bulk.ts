import { load } from './bench-environment.ts';
import { acceptStatement } from './limits.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';

const PER_CALL = 500;
const SIZES = { smoke: { calls: 10, runs: 1 }, small: { calls: 60, runs: 3 }, full: { calls: 200, runs: 5 } };

export const b2: Scenario = {
  id: 'B2',
  title: 'bulk: POST 500 recipients a call, 4 connections',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { calls, runs } = SIZES[size];
    const tenant = await product.tenant(1_000);
    const api = await product.start('api', {}, profiles);
    const recipients = Array.from({ length: PER_CALL }, (_, index) => ({ recipient_id: `user-${index}` }));
    const body = JSON.stringify({ channel: 'email', template_id: 'welcome', payload: { name: 'Alice' }, recipients });
    const order = {
      port: api.port,
      path: '/api/v1/notifications/bulk',
      connections: 4,
      headers: { 'X-API-Key': tenant.apiKey },
      body,
      recipients: 1,
    };
    await load({ ...order, requests: Math.max(8, calls / 4) });
    const rates: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      await product.clean();
      const result = await load({ ...order, requests: calls, keyPrefix: `run${run}-` });
      check('calls answered with 202', result.statuses['202'] ?? 0, calls);
      for (const table of ['notifications', 'deliveries', 'due_deliveries', 'idempotency_keys'])
        check(`rows in ${table}`, await product.count(`select count(*) from ${table}`), calls * PER_CALL);
      rates.push((calls * PER_CALL) / result.seconds);
      say(`run ${run + 1} of ${runs}: ${Math.round(rates.at(-1)!)} rows/s, p99 of a call ${result.p99.toFixed(0)} ms`);
    }
    await api.stop();
    await product.clean();
    say('the limit');
    const limit = await acceptStatement(product, tenant, calls * PER_CALL, PER_CALL);
    await product.clean();
    const rate = median(rates);
    return {
      id: 'B2',
      work: this.title,
      figures: { rows_per_second: rate, statement_500_per_second: limit },
      headline: { name: 'bulk rows', value: rate, unit: '/s' },
      limit: { name: 'the statement at 500 rows', value: limit },
      peers: [],
      ratio: rate / limit,
      floor: 0.15,
      targets: [{ name: 'bulk ≥ 25,000 rows/s', met: rate >= 25_000 }],
    };
  },
};
