// The requests of the tenants: single sends on all channels, bulk sends, sends to a topic, repeated and wrong requests, and
// recipients with an open inbox.

import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { BenchTenant } from '../../bench/src/bench-environment.ts';

/** Sends per second: a slow wave around the average. */
const [AVERAGE, AMPLITUDE, WAVE_SECONDS] = [20, 8, 110];
const INBOXES = 60;
const MEMBERS = 40;
const BULK = { everySeconds: 10, recipients: 40 };
const TOPIC_EVERY_SECONDS = 25;

/** What a send is, and of how many sends in a hundred. */
const KINDS: readonly [share: number, body: (number: number) => object][] = [
  [42, (number) => ({ ...to(number, 'email', `user-${number}@example.com`), template_id: 'welcome', payload: NAME })],
  [
    18,
    (number) => ({ ...to(number, 'sms', `+491511${1_000_000 + number}`), content: { text: 'Your code is 123456' } }),
  ],
  [
    18,
    () => ({ recipient_id: `inbox-${randomInt(INBOXES)}`, channel: 'in_app', template_id: 'welcome', payload: NAME }),
  ],
  [8, (number) => ({ ...to(number, 'push', `device-${number}`), content: { title: 'Hello', body: 'It has arrived' } })],
  [3, (number) => ({ ...to(number, 'chat', 'general'), content: { text: 'A build has failed' } })],
  [2, () => ({ ...to(0, 'email', 'no@example.com'), content: EMAIL })],
  [2, (number) => ({ ...to(number, 'email', `u${number}@example.com`), content: EMAIL, scheduled_at: inSeconds(20) })],
  // Refused with 422: it has no content.
  [2, (number) => to(number, 'email', `user-${number}@example.com`)],
];
/** Of the tenant whose account is the sandbox: addresses of the simulator. */
const SIMULATED = ['ok', 'ok', 'ok', 'flaky', 'throttled', 'rejected', 'bad-address', 'unknown'];
const SIMULATED_PERCENT = 5;
const NAME = { name: 'Ann' };
const EMAIL = { subject: 'Hello', text: 'Hello there' };

export interface Traffic {
  /** Sends a large bulk, so that deliveries wait. */
  sendBacklog(recipients: number): Promise<void>;
  /** Ends after the requests that are under way. Returns how often each status was answered. */
  stop(): Promise<Record<string, number>>;
}

/** `first` has topics, inboxes and a webhook endpoint, `sandboxed` the sandbox as its account for e-mails. */
export async function startTraffic(
  urls: readonly string[],
  tenants: { first: BenchTenant; sandboxed: BenchTenant; others: readonly BenchTenant[] },
): Promise<Traffic> {
  const statuses: Record<string, number> = {};
  let [number, runs] = [0, true];
  const post = async (tenant: BenchTenant, path: string, body: object, key?: string): Promise<unknown> => {
    const headers = { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' };
    const method = path === 'topics/news' ? 'PUT' : 'POST';
    const answer = await fetch(`${urls[number % urls.length]}/api/v1/${path}`, {
      method,
      headers: { ...headers, ...(key !== undefined && { 'idempotency-key': key }) },
      body: JSON.stringify(body),
    });
    statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    return await answer.json();
  };
  const { first, sandboxed, others } = tenants;
  const sockets = await openInboxes();
  const members = Array.from({ length: MEMBERS }, (_, index) => `user-${index}`);
  await post(first, 'topics/news', { name: 'News' });
  await post(first, 'topics/news/subscriptions', { recipient_ids: members });
  await post(first, 'suppressions', { channel: 'email', address: 'no@example.com', reason: 'manual' });

  async function openInboxes(): Promise<WebSocket[]> {
    return await Promise.all(
      Array.from({ length: INBOXES }, async (_, index) => {
        const { token } = (await post(first, `recipients/inbox-${index}/inbox-token`, {})) as { token: string };
        const url = `${urls[index % urls.length]?.replace('http', 'ws')}/api/v1/inbox/stream`;
        const socket = new WebSocket(url, ['carillon.v1', token]);
        return await new Promise<WebSocket>((resolve, reject) =>
          socket.once('open', () => resolve(socket)).once('error', reject),
        );
      }),
    );
  }

  async function sendOne(): Promise<void> {
    number += 1;
    if (randomInt(100) < SIMULATED_PERCENT) {
      const word = SIMULATED[randomInt(SIMULATED.length)];
      await post(sandboxed, 'notifications', { ...to(number, 'email', `${word}@simulator.test`), content: EMAIL });
      return;
    }
    const body = bodyOf(number);
    const tenant = 'channel' in body && body.channel === 'in_app' ? first : pick([first, ...others]);
    // Every fiftieth request is sent twice with one key, as after a lost answer.
    const key = number % 50 === 0 ? `key-${number}` : undefined;
    await post(tenant, 'notifications', body, key);
    if (key !== undefined) await post(tenant, 'notifications', body, key);
  }

  const bulk = async (tenant: BenchTenant, recipients: number): Promise<void> => {
    const list = Array.from({ length: recipients }, () => {
      number += 1;
      return { recipient_id: `bulk-${number}`, recipient_address: `bulk-${number}@example.com` };
    });
    await post(tenant, 'notifications/bulk', { channel: 'email', content: EMAIL, recipients: list });
  };

  async function run(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    const begin = (work: Promise<void>): void => {
      const done: Promise<void> = work
        .catch((error: Error) => console.error(`a request failed: ${error.message}`))
        .finally(() => underWay.delete(done));
      underWay.add(done);
    };
    const startedAt = performance.now();
    for (let second = 0; runs; second += 1) {
      const rate = Math.round(AVERAGE + AMPLITUDE * Math.sin((second / WAVE_SECONDS) * 2 * Math.PI));
      if (second % BULK.everySeconds === 0) begin(bulk(pick(others), BULK.recipients));
      if (second % TOPIC_EVERY_SECONDS === 0)
        begin(post(first, 'notifications', { topic: 'news', channel: 'email', content: EMAIL }).then(() => undefined));
      for (let place = 0; place < rate; place += 1) {
        const wait = startedAt + (second + place / rate) * 1_000 - performance.now();
        if (wait > 0) await delay(wait);
        begin(sendOne());
      }
    }
    await Promise.all(underWay);
  }

  const ended = run();
  return {
    sendBacklog: (recipients) => bulk(pick(others), recipients),
    stop: async () => {
      runs = false;
      await ended;
      for (const socket of sockets) socket.terminate();
      return statuses;
    },
  };
}

function to(number: number, channel: string, address: string): object {
  return { recipient_id: `user-${number}`, channel, recipient_address: address };
}

function bodyOf(number: number): object {
  let left = randomInt(KINDS.reduce((sum, [share]) => sum + share, 0));
  const [, body] = KINDS.find(([share]) => {
    left -= share;
    return left < 0;
  }) ?? [0, () => ({})];
  return body(number);
}

function pick<T>(values: readonly T[]): T {
  return values[randomInt(values.length)] as T;
}

function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1_000).toISOString();
}
