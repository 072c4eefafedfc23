import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { rss } from './b6-sockets.ts';
import { BenchEnvironment, type BenchTenant, load } from './bench-environment.ts';
import { type Context, check, type Figures, median, type Scenario } from './scenario.ts';
import { fakeTimeLibrary, ShiftedClock } from './shifted-clock.ts';

const SIZES = {
  smoke: { minutes: 0.3, slices: 4, calibration: 2_000, recipients: 2_000 },
  small: { minutes: 3, slices: 8, calibration: 10_000, recipients: 10_000 },
  full: { minutes: 30, slices: 24, calibration: 30_000, recipients: 50_000 },
};
const BODY = '{"recipient_id":"user-{r}","channel":"email","template_id":"welcome","payload":{"name":"Alice"}}';
const ZONE = 'Europe/Berlin';
/** Daylight saving ends in Berlin. */
const AUTUMN_CHANGE = Date.parse('2026-10-25T01:00:00Z');
/** A week ends: the next partition begins. */
const WEEK_BOUNDARY = Date.parse('2026-10-26T00:00:00Z');
const MEGABYTE = 1_048_576;

/** The measurements of one slice of the soak. */
interface Slice {
  sentPerSecond: number;
  p99: number;
  faults: number;
  backlog: number;
  deadTuples: number;
  rss: { api: number; worker: number };
}

interface Soak {
  product: BenchEnvironment;
  tenant: BenchTenant;
  api: { port: number; pid: number };
  worker: { pid: number };
  rate: number;
  recipients: number;
  say: (text: string) => void;
}

export const b13: Scenario = {
  id: 'B13',
  title:
    'soak: half of the capacity, on a server in Europe/Berlin, across the end of daylight saving and, with the clock set ahead, of the week; a third of it beside an old snapshot',
  async run({ size, say, soak: wanted }: Context): Promise<Figures> {
    const { slices, calibration, recipients, ...sized } = SIZES[size];
    const minutes = wanted.minutes ?? sized.minutes;
    /** Duration of each half; its moment (end of daylight saving, end of the week) is in the middle. */
    const halfMs = minutes * 30_000;
    const library = fakeTimeLibrary();
    if (!library) say('libfaketime is missing (Debian package faketime): the clock stays as it is');
    const folder = mkdtempSync(join(tmpdir(), 'carillon-clock-'));
    chmodSync(folder, 0o755);
    const file = join(folder, 'offset');
    const clock = library ? new ShiftedClock(library, file, new Date(AUTUMN_CHANGE - 3_600_000)) : undefined;
    const product = await BenchEnvironment.open({
      settings: { timezone: ZONE },
      ...(clock && { environment: clock.environment }),
    });
    try {
      const tenant = await product.tenant(recipients);
      // The default limit of ten e-mails per hour would hold most of them.
      await product.sql.query(
        `update tenants set settings = settings || '{"recipient_limits": {"email": {"limit": 1000, "window_seconds": 60}}}'`,
      );
      const [api, worker] = [await product.start('api'), await product.start('worker')];
      const soak: Soak = { product, tenant, api, worker, rate: 0, recipients, say };
      const capacity = await measureCapacity(soak, calibration);
      soak.rate = wanted.rate ?? Math.floor(capacity / 2);
      say(`capacity ${Math.round(capacity)}/s; ${minutes} minutes at ${soak.rate}/s`);

      const partitionsBefore = await partitions(product);
      await setClock(soak, clock, AUTUMN_CHANGE - halfMs / 2);
      const first = await half(soak, { slices, halfMs, snapshotFrom: Math.floor(slices / 3) });
      await emptied(product);
      await setClock(soak, clock, WEEK_BOUNDARY - halfMs / 2);
      const second = await half(soak, { slices, halfMs, snapshotFrom: slices });
      await emptied(product);
      const { rows: end } = await product.sql.query<{ now: Date }>('select now()');
      const unsent = await product.count(`select count(*) from deliveries where state <> 'sent'`);
      check('deliveries that were not sent', unsent, 0);
      const made = (await partitions(product)) - partitionsBefore;
      await Promise.all([api.stop(), worker.stop()]);
      return figures(this.title, [...first, ...second], {
        capacity,
        rate: soak.rate,
        minutes,
        partitionsMade: made,
        crossed: clock !== undefined && end[0]!.now.getTime() > WEEK_BOUNDARY,
      });
    } finally {
      await product.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Requests per second from the first request to the last send, with as many connections as in the other scenarios. */
async function measureCapacity(soak: Soak, requests: number): Promise<number> {
  const run = async (count: number, keyPrefix: string): Promise<number> => {
    const startedAt = performance.now();
    const { statuses } = await load({ ...order(soak), requests: count, keyPrefix });
    check('requests answered with 202', statuses['202'] ?? 0, count);
    await emptied(soak.product);
    return count / ((performance.now() - startedAt) / 1_000);
  };
  await run(Math.ceil(requests / 2), 'warm-');
  return await run(requests, 'capacity-');
}

const order = ({ api, tenant, recipients }: Soak) => ({
  port: api.port,
  path: '/api/v1/notifications',
  connections: 64,
  headers: { 'X-API-Key': tenant.apiKey },
  body: BODY,
  recipients,
});

const backlogOf = (product: BenchEnvironment): Promise<number> => product.count('select count(*) from due_deliveries');

async function emptied(product: BenchEnvironment): Promise<void> {
  while ((await backlogOf(product)) > 0) await delay(50);
}

async function partitions(product: BenchEnvironment): Promise<number> {
  return await product.count('select count(*) from carillon_partitions()');
}

/** Sets the clock while nothing is in progress, because a jump would end all leases at once. */
async function setClock({ product, say }: Soak, clock: ShiftedClock | undefined, at: number): Promise<void> {
  if (!clock) return;
  clock.set(new Date(at));
  const now = async (): Promise<number> =>
    (await product.sql.query<{ now: Date }>('select now()')).rows[0]!.now.getTime();
  while (Math.abs((await now()) - at) > 30_000) await delay(100);
  // Every process reads the clock file once a second.
  await delay(2_500);
  say(`the clock is set to ${new Date(await now()).toISOString()}`);
}

async function half(
  soak: Soak,
  { slices, halfMs, snapshotFrom }: { slices: number; halfMs: number; snapshotFrom: number },
): Promise<Slice[]> {
  const { product, say } = soak;
  const seen: Slice[] = [];
  let reader: pg.Client | undefined;
  const startedAt = performance.now();
  for (let index = 0; index < slices; index += 1) {
    if (index === snapshotFrom) reader = await oldSnapshot(product);
    const seconds = (startedAt + (halfMs * (index + 1)) / slices - performance.now()) / 1_000;
    const slice = await measureSlice(soak, Math.max(1, Math.round(soak.rate * seconds)));
    seen.push(slice);
    say(
      `${Math.round(slice.sentPerSecond)} sent/s, p99 ${slice.p99.toFixed(0)} ms, ${slice.faults} faults, ${slice.backlog} waiting, ${slice.deadTuples} dead rows, API ${slice.rss.api.toFixed(0)} MB, worker ${slice.rss.worker.toFixed(0)} MB${reader ? ', beside an old snapshot' : ''}`,
    );
  }
  await reader?.end();
  return seen;
}

async function measureSlice(soak: Soak, requests: number): Promise<Slice> {
  const { product, api, worker, rate } = soak;
  const before = await backlogOf(product);
  const { statuses, p99, seconds } = await load({ ...order(soak), requests, rate });
  const backlog = await backlogOf(product);
  const accepted = statuses['202'] ?? 0;
  return {
    sentPerSecond: (accepted + before - backlog) / seconds,
    p99,
    faults: requests - accepted,
    backlog,
    deadTuples: await product.count(
      `select n_dead_tup as count from pg_stat_user_tables where relname = 'due_deliveries'`,
    ),
    rss: { api: rss(api.pid) / MEGABYTE, worker: rss(worker.pid) / MEGABYTE },
  };
}

/** Opens a transaction with a snapshot. While it is open, PostgreSQL cannot remove dead rows. */
async function oldSnapshot(product: BenchEnvironment): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: product.databaseUrl });
  await client.connect();
  await client.query('begin isolation level repeatable read');
  await client.query('select from due_deliveries limit 1');
  return client;
}

interface Course {
  capacity: number;
  rate: number;
  minutes: number;
  partitionsMade: number;
  crossed: boolean;
}

function figures(work: string, slices: Slice[], course: Course): Figures {
  const quarter = Math.max(1, Math.floor(slices.length / 4));
  const growth = (of: (slice: Slice) => number): number =>
    median(slices.slice(-quarter).map(of)) / median(slices.slice(0, quarter).map(of));
  const sent = median(slices.map(({ sentPerSecond }) => sentPerSecond));
  const lowest = Math.min(...slices.map(({ sentPerSecond }) => sentPerSecond));
  const faults = slices.reduce((sum, slice) => sum + slice.faults, 0);
  const rssGrowth = { api: growth((slice) => slice.rss.api), worker: growth((slice) => slice.rss.worker) };
  const slope = slopeOf(slices.map(({ sentPerSecond }) => sentPerSecond));
  const crossed = course.crossed ? 1 : 0;
  return {
    id: 'B13',
    work,
    figures: {
      minutes: course.minutes,
      capacity_per_second: course.capacity,
      asked_per_second: course.rate,
      sent_per_second: sent,
      lowest_sent_per_second: lowest,
      slope_percent: 100 * slope,
      faults,
      p99_first_quarter_ms: median(slices.slice(0, quarter).map(({ p99 }) => p99)),
      p99_last_quarter_ms: median(slices.slice(-quarter).map(({ p99 }) => p99)),
      api_mb: median(slices.slice(-quarter).map((slice) => slice.rss.api)),
      api_memory_growth: rssGrowth.api,
      worker_mb: median(slices.slice(-quarter).map((slice) => slice.rss.worker)),
      worker_memory_growth: rssGrowth.worker,
      dead_rows_most: Math.max(...slices.map(({ deadTuples }) => deadTuples)),
      dead_rows_end: slices.at(-1)!.deadTuples,
      partitions_made: course.partitionsMade,
      crossed_both_moments: crossed,
    },
    headline: { name: 'sent in the median slice', value: sent, unit: '/s' },
    limit: { name: 'what was asked', value: course.rate },
    peers: [],
    ratio: sent / course.rate,
    floor: 0.7,
    targets: [
      { name: 'no answer but 202', met: faults === 0 },
      { name: 'memory of the last quarter ≤ 1.2x of the first', met: Math.max(rssGrowth.api, rssGrowth.worker) <= 1.2 },
      { name: 'the rate does not fall by 5%', met: slope > -0.05 },
      { name: 'each slice sends ≥ 0.9 of the requested rate', met: lowest >= 0.9 * course.rate },
      { name: 'the clock crossed daylight saving and the week', met: course.crossed },
    ],
  };
}

/** The change of a series from start to end, by linear regression, as a share of its mean. */
function slopeOf(values: number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = (values.length - 1) / 2;
  const squares = values.reduce((sum, _, at) => sum + (at - middle) ** 2, 0);
  const slope = values.reduce((sum, value, at) => sum + (at - middle) * (value - mean), 0) / squares;
  return (slope * (values.length - 1)) / mean;
}
