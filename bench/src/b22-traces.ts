import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { drained, fill } from './b4-drain.ts';
import { load } from './bench-environment.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';

const SIZES = {
  smoke: { requests: 1_500, rounds: 1 },
  small: { requests: 15_000, rounds: 3 },
  full: { requests: 50_000, rounds: 5 },
};
/** The share of traces that is exported; null: traces are off. */
const MODES = { off: null, one_percent: '0.01', all: '1' } as const;
type Mode = keyof typeof MODES;
const BODY = '{"recipient_id":"user-{r}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}';
/** Of utime and stime in /proc/<pid>/stat, on Linux. */
const TICKS_PER_SECOND = 100;

export const b22: Scenario = {
  id: 'B22',
  title: 'traces: accept and drain with traces off, of 1 % and of all requests, into a collector that discards them',
  async run({ product, size, say, profiles }: Context): Promise<Figures> {
    const { requests, rounds } = SIZES[size];
    const tenant = await product.tenant(requests / 5);
    const collector = await startCollector();
    const rates = perMode();
    const drains = perMode();
    const acceptCpu = perMode();
    const drainCpu = perMode();
    for (let round = 0; round < rounds; round += 1) {
      for (const mode of Object.keys(MODES) as Mode[]) {
        const environment = tracing(mode, collector.url);
        await product.clean();
        const api = await product.start('api', environment, profiles);
        const order = {
          port: api.port,
          path: '/api/v1/notifications',
          connections: 64,
          headers: { 'X-API-Key': tenant.apiKey },
          body: BODY,
          recipients: requests / 5,
        };
        await load({ ...order, requests: Math.ceil(requests / 5), keyPrefix: 'warm-' });
        const before = cpuSeconds(api.pid);
        const result = await load({ ...order, requests, keyPrefix: 'run-' });
        acceptCpu[mode].push(((cpuSeconds(api.pid) - before) / requests) * 1e6);
        check('requests answered with 202', result.statuses['202'] ?? 0, requests);
        rates[mode].push(requests / result.seconds);
        await api.stop();

        await fill(product, tenant, requests, 'email');
        const worker = await product.start('worker', environment, profiles);
        const seconds = await drained(product);
        drainCpu[mode].push((cpuSeconds(worker.pid) / requests) * 1e6);
        await worker.stop();
        check('deliveries sent', await product.count(`select count(*) from deliveries where state = 'sent'`), requests);
        drains[mode].push(requests / seconds);
        say(
          `round ${round + 1} of ${rounds}, ${mode}: ${Math.round(rates[mode].at(-1)!)} accepts/s, ${Math.round(drains[mode].at(-1)!)} deliveries/s; ${collector.requests()} batches so far`,
        );
        if (mode === 'off' && round === 0) check('batches while traces are off', collector.requests(), 0);
      }
    }
    check('collector reached', Math.min(1, collector.requests()), 1);
    await collector.stop();
    const figures: Record<string, number> = {};
    for (const mode of Object.keys(MODES) as Mode[]) {
      figures[`accepts_${mode}_per_second`] = median(rates[mode]);
      figures[`drain_${mode}_per_second`] = median(drains[mode]);
      figures[`accept_${mode}_cpu_us`] = median(acceptCpu[mode]);
      figures[`drain_${mode}_cpu_us`] = median(drainCpu[mode]);
    }
    const onePercent = figures['accepts_one_percent_per_second']!;
    const off = figures['accepts_off_per_second']!;
    return {
      id: 'B22',
      work: this.title,
      figures,
      headline: { name: 'accepts with 1 % of traces', value: onePercent, unit: '/s' },
      limit: { name: 'with traces off', value: off },
      peers: [],
      ratio: onePercent / off,
      floor: 0.25,
      targets: [{ name: '1 % of traces costs at most 15 %', met: onePercent >= 0.85 * off }],
    };
  },
};

function perMode(): Record<Mode, number[]> {
  return { off: [], one_percent: [], all: [] };
}

function tracing(mode: Mode, url: string): Record<string, string> {
  const share = MODES[mode];
  if (share === null) return {};
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: share,
    OTEL_BSP_MAX_QUEUE_SIZE: '100000',
  };
}

/** Processor time of a process, in seconds. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** An OTLP receiver that reads and forgets. */
async function startCollector(): Promise<{ url: string; requests(): number; stop(): Promise<void> }> {
  let requests = 0;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      requests += 1;
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the collector has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests: () => requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
