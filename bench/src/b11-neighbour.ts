import { setTimeout as delay } from 'node:timers/promises';
import { fillDeliveries } from './fill.ts';
import { type Context, type Figures, percentile, type Scenario } from './scenario.ts';
import { sendTimes } from './send-times.ts';

const SIZES = {
  smoke: { flood: 5_000, seconds: 3 },
  small: { flood: 50_000, seconds: 5 },
  full: { flood: 100_000, seconds: 10 },
};
const RATE = 10;

export const b11: Scenario = {
  id: 'B11',
  title: 'noisy neighbour: one tenant floods, another sends ten a second; from its request to its send',
  async run({ product, size, say }: Context): Promise<Figures> {
    const { flood, seconds } = SIZES[size];
    const [noisy, quiet] = [await product.tenant(flood / 5), await product.tenant(1_000)];
    const api = await product.start('api');
    const worker = await product.start('worker');
    const stream = { product, tenant: quiet, port: api.port, rate: RATE, seconds };
    const alone = await sendTimes({ ...stream, prefix: 'alone' });
    await fillDeliveries(product, noisy, flood, { dueAt: new Date(), recipients: flood / 5 });
    const beside = await sendTimes({ ...stream, prefix: 'beside' });
    const left = await product.count('select count(*) from due_deliveries where tenant_id = $1', [noisy.id]);
    while ((await product.count('select count(*) from due_deliveries')) > 0) await delay(200);
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
