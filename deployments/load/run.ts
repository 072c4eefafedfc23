// npm run load -- smoke      one of: smoke, ramp, stress, sockets (shapes.ts); docs/load-testing.md
//   --url                    the API, by default http://127.0.0.1:8080
//   --internal-url           /internal, if INTERNAL_PORT is set
//
// ADMIN_TOKEN in the environment: the operator's token. The exit code is 1 if a request failed or a limit is exceeded.

import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type LoadClient, makeClient } from './client.ts';
import { arrivalsOf, quantile, type Shape, shapes } from './shapes.ts';

const OPEN_AT_ONCE = 50;
const RECIPIENTS = 1_000;
/** Until the last items have arrived and the last deliveries are sent. */
const SETTLE_MS = 10_000;
/** Notifications whose end is looked at after the run. */
const SAMPLE = 100;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { url: { type: 'string', default: 'http://127.0.0.1:8080' }, 'internal-url': { type: 'string' } },
});
const name = positionals[0] ?? '';
const adminToken = process.env['ADMIN_TOKEN'] ?? '';
if (!Object.hasOwn(shapes, name) || adminToken === '') {
  console.error(`usage: ADMIN_TOKEN=… npm run load -- ${Object.keys(shapes).join('|')} [--url …] [--internal-url …]`);
  process.exit(2);
}
const shape: Shape = shapes[name as keyof typeof shapes];
const client = await makeClient(values.url, values['internal-url'] ?? values.url, adminToken);
/** When each request was due. Latencies are in milliseconds since then: the time in which it could not be sent counts. */
const dueAt: number[] = [];
const acceptLatencies: number[] = [];
/** By the number of the request. */
const endToEndLatencies = new Map<number, number>();
const ids: string[] = [];
const errors: string[] = [];

const streams = await openStreams();
await sendAll();
await settle();
for (const stream of streams) stream.terminate();
await client.close();
process.exitCode = report() ? 0 : 1;

async function openStreams(): Promise<Awaited<ReturnType<LoadClient['openStream']>>[]> {
  const opened: Awaited<ReturnType<LoadClient['openStream']>>[] = [];
  while (opened.length < shape.sockets) {
    const batch = Array.from({ length: Math.min(OPEN_AT_ONCE, shape.sockets - opened.length) }, (_, index) =>
      client.openStream(`load-${opened.length + index}`, (number) => {
        if (!endToEndLatencies.has(number)) endToEndLatencies.set(number, performance.now() - dueAt[number]!);
      }),
    );
    opened.push(...(await Promise.all(batch)));
  }
  if (opened.length > 0) console.log(`${opened.length} inbox streams are open`);
  return opened;
}

async function sendAll(): Promise<void> {
  const plan = arrivalsOf(shape);
  const recipients = shape.sockets || RECIPIENTS;
  const underWay: Promise<void>[] = [];
  const startedAt = performance.now();
  for (const [number, seconds] of plan.entries()) {
    const wait = startedAt + seconds * 1_000 - performance.now();
    if (wait > 0) await delay(wait);
    dueAt[number] = startedAt + seconds * 1_000;
    underWay.push(
      client.send(`load-${number % recipients}`, shape.channels, number).then(
        (id) => {
          acceptLatencies.push(performance.now() - dueAt[number]!);
          ids.push(id);
        },
        (error: Error) => void errors.push(error.message),
      ),
    );
  }
  await Promise.all(underWay);
}

/** Waits for the last items, and until the sampled notifications are sent. */
async function settle(): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  let open = Array.from({ length: SAMPLE }, (_, index) => ids[Math.floor((index * ids.length) / SAMPLE)]!);
  open = [...new Set(open)].filter(Boolean);
  for (;;) {
    const statuses = await Promise.all(open.map((id) => client.statusOf(id)));
    open = open.filter((_, index) => statuses[index] !== 'sent');
    if (open.length === 0 && (shape.sockets === 0 || endToEndLatencies.size === acceptLatencies.length)) return;
    if (performance.now() > end) break;
    await delay(100);
  }
  if (open.length > 0) errors.push(`${open.length} of ${SAMPLE} notifications were not sent, such as ${open[0]}`);
  if (shape.sockets > 0 && endToEndLatencies.size < acceptLatencies.length)
    errors.push(`${acceptLatencies.length - endToEndLatencies.size} items did not arrive at their stream`);
}

function report(): boolean {
  const line = (label: string, latencies: readonly number[], limit: number): boolean => {
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantile(latencies, share));
    const met = p95! <= limit;
    const figures = `p50 ${p50!.toFixed(1)} ms, p95 ${p95!.toFixed(1)} ms, p99 ${p99!.toFixed(1)} ms`;
    console.log(`${label}: ${figures} (p95 at most ${limit} ms: ${met ? 'met' : 'NOT MET'})`);
    return met;
  };
  console.log(`${name}: ${dueAt.length} requests, ${errors.length} errors`);
  for (const error of errors.slice(0, 5)) console.log(`  ${error}`);
  const met = [line('accept', acceptLatencies, shape.limits.acceptP95)];
  if (shape.limits.endToEndP95 !== undefined)
    met.push(line('end to end', [...endToEndLatencies.values()], shape.limits.endToEndP95));
  return errors.length === 0 && met.every(Boolean);
}
