// The load generator, in a separate process: plain sockets with one request in flight each, so that it uses a tenth of the
// processor time of the product. Reads its order as JSON from argv and prints its results as JSON.

import { readFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

export interface LoadOrder {
  port: number;
  /** Default: POST. */
  method?: string;
  /** In path, headers and body, `{n}` is replaced by the number of the request and `{r}` by that number modulo `recipients`. */
  path: string;
  connections: number;
  /** Total number of requests. */
  requests: number;
  headers: Record<string, string>;
  /** Absent: no body and no Content-Type. */
  body?: string;
  recipients: number;
  /** A file with one line per request: `{v1}`, `{v2}` … are replaced by its tab-separated columns. */
  valuesFile?: string;
  /** The expected status, by default 202. The first response with another status is printed. */
  expect?: number;
  /** Adds a unique Idempotency-Key to each request. */
  keyPrefix?: string;
  /** Requests per second at random times (Poisson), independent of earlier responses. Without it: closed loop. */
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
  /** The id in each response, by the number of its request; only with `rate`. */
  ids?: string[];
}

const order = JSON.parse(process.argv[2]!) as LoadOrder;
const latencies: number[] = [];
const statuses: Record<string, number> = {};
const sentAt: number[] = [];
const ids: string[] = [];
let sent = 0;
let answered = 0;

const lines = order.valuesFile === undefined ? [] : readFileSync(order.valuesFile, 'utf8').trimEnd().split('\n');
const columns = lines.map((line) => line.split('\t'));

/** Replaces the placeholders of a text. Text without placeholders is returned unchanged, to save processor time. */
function filled(text: string): (number: number) => string {
  const parts = text.split(/(\{(?:n|r|v\d+)\})/);
  if (parts.length === 1) return () => text;
  const values = parts.map((part, index): string | ((number: number) => string) => {
    if (index % 2 === 0) return part;
    if (part === '{n}') return String;
    if (part === '{r}') return (number) => String(number % order.recipients);
    const column = Number(part.slice(2, -1)) - 1;
    return (number) => columns[number % columns.length]![column]!;
  });
  return (number) => {
    let result = '';
    for (const value of values) result += typeof value === 'string' ? value : value(number);
    return result;
  };
}

const { method = 'POST', expect = 202 } = order;
const contentType = order.body === undefined ? '' : 'Content-Type: application/json\r\n';
const fixedHeaders = Object.entries(order.headers)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');
const headOf = filled(`${method} ${order.path} HTTP/1.1\r\nHost: localhost\r\n${contentType}${fixedHeaders}`);
const bodyOf = filled(order.body ?? '');

function requestText(number: number): string {
  const key = order.keyPrefix === undefined ? '' : `Idempotency-Key: ${order.keyPrefix}${number}\r\n`;
  if (order.body === undefined) return `${headOf(number)}${key}\r\n`;
  const body = bodyOf(number);
  return `${headOf(number)}${key}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const LENGTH = /content-length: (\d+)/i;

/** One connection: `ask` sends one request and calls back when its response is complete. */
class Connection {
  readonly socket: Socket;
  private text = '';
  private bodyAt = 0;
  private length: number | undefined;
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
    if (this.length === undefined) {
      this.bodyAt = this.text.indexOf('\r\n\r\n') + 4;
      if (this.bodyAt === 3) return;
      // A 204 has no length.
      this.length = Number(LENGTH.exec(this.text.slice(0, this.bodyAt))?.[1] ?? 0);
    }
    if (this.text.length < this.bodyAt + this.length) return;
    latencies.push(performance.now() - this.startedAt);
    const status = this.text.slice(9, 12);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (Number(status) !== expect && statuses[status] === 1)
      console.error(this.text.slice(this.bodyAt, this.bodyAt + 400));
    if (order.rate !== undefined) ids[this.number] = this.text.slice(this.bodyAt + 7, this.bodyAt + 43);
    this.text = '';
    this.length = undefined;
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
  // Open loop: arrivals do not wait for responses. If no connection is free, the request waits, and its wait counts.
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
      // Round-robin, because the server closes a connection that is idle for ten seconds.
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
