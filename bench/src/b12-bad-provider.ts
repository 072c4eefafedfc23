import type { BenchTenant } from './bench-environment.ts';
import { type Context, type Figures, percentile, type Scenario } from './scenario.ts';
import { sendTimes } from './send-times.ts';
import { ACCEPTED, account, FAKES, vendor } from './vendor.ts';

/** Half of the target rate: two streams together send 500 per second. */
const RATE = 250;
const SIZES = { smoke: 3, small: 15, full: 60 };
/** Warm-up, not counted: the first sends of a process are always slower. */
const WARM_UP = { smoke: 1, small: 5, full: 15 };
const EVERY = 5;

export const b12: Scenario = {
  id: 'B12',
  title:
    'bad provider: a tenant with a failing and a working account; then a tenant with an account that hangs for a fifth of its sends; both beside a healthy tenant with its own account',
  async run({ product, size, say }: Context): Promise<Figures> {
    const seconds = SIZES[size];
    const api = await product.start('api', FAKES);
    const worker = await product.start('worker', FAKES);
    const vendors = { first: await vendor(), second: await vendor(), hanging: await vendor(), good: await vendor() };
    const count = RATE * (seconds + 1);
    const [healthy, twice, unlucky] = [
      await product.tenant(count),
      await product.tenant(count),
      await product.tenant(count),
    ];
    await account(api.port, healthy, vendors.good);
    await account(api.port, twice, vendors.first);
    await account(api.port, twice, vendors.second);
    await account(api.port, unlucky, vendors.hanging);
    /** Measures the healthy tenant beside another tenant, of which at least this share must have been sent. */
    const beside = async (
      what: string,
      tenant: BenchTenant,
      { atLeast, seconds = SIZES[size] }: { atLeast?: number; seconds?: number } = {},
    ): Promise<number[]> => {
      const prefix = what.replaceAll(' ', '-');
      const stream = { product, port: api.port, rate: RATE, seconds };
      const [, times] = await Promise.all([
        sendTimes({ ...stream, tenant, prefix: `other-${prefix}`, ...(atLeast !== undefined && { atLeast }) }),
        sendTimes({ ...stream, tenant: healthy, prefix: `healthy-${prefix}` }),
      ]);
      say(`${what}: p50 ${percentile(times, 0.5).toFixed(0)} ms, p99 ${percentile(times, 0.99).toFixed(0)} ms`);
      return times;
    };

    await beside('warming up', twice, { seconds: WARM_UP[size] });
    const warmedUp = vendors.first.sends.length;
    const before = await beside('without a fault', twice);
    vendors.first.behave({ status: 503, body: '{}' });
    const failover = await beside('beside a fail-over', twice);
    let number = 0;
    vendors.hanging.behave(() => {
      number += 1;
      return number % EVERY === 0 ? 'hang' : ACCEPTED;
    });
    const hang = await beside('beside what hangs', unlucky, { atLeast: 0 });
    const p99 = {
      before: percentile(before, 0.99),
      failover: percentile(failover, 0.99),
      hang: percentile(hang, 0.99),
    };
    const worst = Math.max(p99.failover, p99.hang);
    const figures = {
      rate: RATE,
      seconds,
      p50_before_ms: percentile(before, 0.5),
      p99_before_ms: p99.before,
      p50_beside_failover_ms: percentile(failover, 0.5),
      p99_beside_failover_ms: p99.failover,
      asked_of_the_first: vendors.first.sends.length - warmedUp - count,
      p50_beside_hang_ms: percentile(hang, 0.5),
      p99_beside_hang_ms: p99.hang,
      asked_of_what_hangs: vendors.hanging.sends.length,
    };
    await worker.stop();
    await api.stop();
    await Promise.all(Object.values(vendors).map((one) => one.close()));
    return {
      id: 'B12',
      work: this.title,
      figures,
      headline: { name: "the healthy tenant's p99 beside the worse fault", value: worst, unit: 'ms' },
      limit: { name: 'without a fault', value: p99.before },
      peers: [],
      ratio: p99.before / worst,
      floor: 0.1,
      targets: [{ name: '≤ 1.2x without a fault', met: worst <= 1.2 * p99.before }],
    };
  },
};
