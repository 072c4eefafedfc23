import { load } from './bench-environment.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';

const BODY = '{"recipient_id":"user-{r}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}';
const SIZES = {
  smoke: { requests: 3_000, runs: 1 },
  small: { requests: 10_000, runs: 3 },
  full: { requests: 30_000, runs: 5 },
};

export const b17: Scenario = {
  id: 'B17',
  title: 'retry storm: the same sends with the same idempotency keys again, 64 connections',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { requests, runs } = SIZES[size];
    const tenant = await product.tenant(1_000);
    const api = await product.start('api', {}, profiles);
    const order = {
      port: api.port,
      path: '/api/v1/notifications',
      connections: 64,
      headers: { 'X-API-Key': tenant.apiKey },
      body: BODY,
      recipients: 1_000,
      requests,
    };
    await load({ ...order, requests: Math.max(2_000, requests / 4), keyPrefix: 'warm-' });
    await load({ ...order, requests: Math.max(2_000, requests / 4), keyPrefix: 'warm-' });
    const rates: Record<'first' | 'replay', number[]> = { first: [], replay: [] };
    const p99: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      await product.clean();
      for (const kind of ['first', 'replay'] as const) {
        const result = await load({ ...order, keyPrefix: `run${run}-` });
        check(`requests answered with 202 (${kind})`, result.statuses['202'] ?? 0, requests);
        check('notifications', await product.count('select count(*) from notifications'), requests);
        rates[kind].push(requests / result.seconds);
        if (kind === 'replay') p99.push(result.p99);
      }
      say(
        `run ${run + 1} of ${runs}: ${Math.round(rates.first.at(-1)!)} first sends/s, ${Math.round(rates.replay.at(-1)!)} replays/s, p99 ${p99.at(-1)!.toFixed(1)} ms`,
      );
    }
    await api.stop();
    const [first, replay] = [median(rates.first), median(rates.replay)];
    return {
      id: 'B17',
      work: this.title,
      figures: { first_per_second: first, replays_per_second: replay, replay_p99_ms: median(p99) },
      headline: { name: 'replays', value: replay, unit: '/s' },
      limit: { name: 'first sends', value: first },
      peers: [],
      ratio: replay / first,
      floor: 0.5,
      targets: [{ name: '≥ 0.5 of first sends', met: replay >= 0.5 * first }],
    };
  },
};
