// The load, in a process of its own: plain sockets with one request under way each, so that the generator costs a tenth of
// what it measures. Reads its orders as JSON from argv, prints its findings as JSON.

import { createConnection, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

export interface LoadOrder {
  port: number;
  path: string;
  connections: number;
  /** Requests in all. */
  requests: number;
  headers: Record<string, string>;
  /** `{n}` becomes the number of the request, `{r}` that number modulo `recipients`. */
  body: string;
  recipients: number;
  /** Adds an Idempotency-Key of its own to each request. */
  keyPrefix?: string;
  /** Requests a second, arriving at random (Poisson), whether or not earlier ones are answered; closed loop without. */
  rate?: number;
}

export interface LoadResult {
  requests: number;
  seconds: number;
  statuses: Record<string, number>;
  /** Milliseconds, sorted. */
  p50: number;
  p99: number;
  p999: number;
  /** Wall-clock milliseconds at which each request was sent, by its number; only with `rate`. */
  sentAt?: number[];
  /** The id in each answer, by its number; only with `rate`. */
  ids?: string[];
}

const order = JSON.parse(process.argv[2]!) as LoadOrder;
const latencies: number[] = [];
const statuses: Record<string, number> = {};
const sentAt: number[] = [];
const ids: string[] = [];
const fixedHeaders = Object.entries(order.headers)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');
let sent = 0;
let answered = 0;

// The generator shares the cores with what it measures: what can be done once is done once.
const head = `POST ${order.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${fixedHeaders}`;
const bodyParts = order.body.split(/(\{[nr]\})/);

function requestText(number: number): string {
  let body = '';
  for (const part of bodyParts) body += part === '{n}' ? number : part === '{r}' ? number % order.recipients : part;
  const key = order.keyPrefix === undefined ? '' : `Idempotency-Key: ${order.keyPrefix}${number}\r\n`;
  return `${head}${key}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const LENGTH = /content-length: /i;

/** One connection: `ask` sends one request and calls back when its answer is there. */
class Connection {
  readonly socket: Socket;
  private text = '';
  private startedAt = 0;
  private number = 0;
  private done: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.read(chunk));
    socket.on('error', (error) => {
      console.error(error.message);
      process.exit(1);
    });
  }

  ask(number: number, done: () => void): void {
    this.number = number;
    this.done = done;
    this.startedAt = performance.now();
    if (order.rate !== undefined) sentAt[number] = performance.timeOrigin + this.startedAt;
    this.socket.write(requestText(number));
  }

  private read(chunk: string): void {
    this.text = this.text === '' ? chunk : this.text + chunk;
    const head = this.text.indexOf('\r\n\r\n');
    if (head === -1) return;
    const at = this.text.search(LENGTH);
    const length = Number.parseInt(this.text.slice(at + 16, at + 26), 10);
    if (this.text.length < head + 4 + length) return;
    latencies.push(performance.now() - this.startedAt);
    const status = this.text.slice(9, 12);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status !== '202' && statuses[status] === 1) console.error(this.text.slice(head + 4, head + 400));
    if (order.rate !== undefined) ids[this.number] = this.text.slice(head + 11, head + 47);
    this.text = '';
    answered += 1;
    this.done();
  }
}

const connections = await Promise.all(
  Array.from(
    { length: order.connections },
    () =>
      new Promise<Connection>((resolve, reject) => {
        const socket = createConnection(order.port, '127.0.0.1', () => resolve(new Connection(socket)));
        socket.once('error', reject);
      }),
  ),
);
const startedAt = performance.now();

await new Promise<void>((resolve) => {
  const ended = (): boolean => {
    if (answered === order.requests) resolve();
    return answered === order.requests;
  };
  if (order.rate === undefined) {
    const next = (connection: Connection): void => {
      if (ended() || sent === order.requests) return;
      sent += 1;
      connection.ask(sent - 1, () => next(connection));
    };
    for (const connection of connections) next(connection);
    return;
  }
  // Open loop: arrivals do not wait for answers; a request that finds no free connection waits, and that wait counts.
  const free = [...connections];
  const waiting: number[] = [];
  const give = (connection: Connection): void => {
    if (ended()) return;
    const number = waiting.shift();
    if (number === undefined) free.push(connection);
    else connection.ask(number, () => give(connection));
  };
  let due = startedAt;
  const tick = (): void => {
    while (sent < order.requests && performance.now() >= due) {
      const number = sent;
      sent += 1;
      // In turn: the server hangs up on a connection that asks nothing for ten seconds.
      const connection = free.shift();
      if (connection) connection.ask(number, () => give(connection));
      else waiting.push(number);
      due += (-Math.log(1 - Math.random()) / order.rate!) * 1_000;
    }
    if (sent < order.requests) setTimeout(tick, 1);
  };
  tick();
});
const seconds = (performance.now() - startedAt) / 1_000;
for (const connection of connections) connection.socket.destroy();
latencies.sort((left, right) => left - right);
const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]!;
const result: LoadResult = {
  requests: answered,
  seconds,
  statuses,
  p50: at(0.5),
  p99: at(0.99),
  p999: at(0.999),
  ...(order.rate !== undefined && { sentAt, ids }),
};
process.stdout.write(JSON.stringify(result));
