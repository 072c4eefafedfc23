// Requests to the APIs of both releases in turn. Whatever one of them has written, the other reads.

import { strict as assert } from 'node:assert';
import { setTimeout as delay } from 'node:timers/promises';
import { FIRST_FAILS } from './vendor.ts';

// biome-ignore lint/suspicious/noExplicitAny: the answers are read field by field
type Json = any;

const DEADLINE_MS = 60_000;
/** More failures open the breaker of the account, which a worker logs as an error. */
const ROUNDS_PER_FAILURE = 3;
/** An inbox item stays `sent` until it is read. */
const isFinal = ({ channel, state }: Json): boolean =>
  ['delivered', 'suppressed', ...(channel === 'in_app' ? ['sent'] : [])].includes(state);

export class Traffic {
  /** Each of these gets one message. */
  readonly addresses = new Set<string>();
  private readonly notifications = new Set<string>();
  private readonly cancelled = new Set<string>();
  private readonly optedOut = new Set<string>();
  private template = '';
  private requests = 0;
  private rounds = 0;

  private urls: readonly string[];
  private readonly apiKey: string;

  constructor(urls: readonly string[], apiKey: string) {
    this.urls = urls;
    this.apiKey = apiKey;
  }

  /** The APIs that get the requests in turn. */
  use(urls: readonly string[]): void {
    this.urls = urls;
  }

  /** Makes the template that the notifications use. */
  async prepare(): Promise<void> {
    const made = await this.call('POST', '/templates', { key: 'number', channel: 'email', content: textOf(0) });
    this.template = made.id;
  }

  /**
   * The requests of a client: accept, repeat, retries, schedule, cancel, preferences, recipients, templates,
   * bulk, the inbox.
   */
  async round(): Promise<void> {
    const number = this.rounds++;
    await this.sendTwice(mailTo(this.recipient(`once-${number}`)), `key-${number}`);
    if (number % ROUNDS_PER_FAILURE === 0) await this.send(mailTo(this.recipient(`${FIRST_FAILS}-${number}`)));
    await this.send({ ...mailTo(this.recipient(`later-${number}`)), scheduled_at: inMs(1_000) });
    await this.cancel(`never-${number}`);
    await this.optOut(`opted-out-${number}`);
    await this.storeRecipient(this.recipient(`stored-${number}`));
    await this.call('PUT', `/recipients/gone-${number}`, { email: 'gone@example.com' });
    await this.call('DELETE', `/recipients/gone-${number}`);
    await this.call('PUT', `/templates/${this.template}`, { content: textOf(number) });
    await this.send({ channel, ...this.recipient(`template-${number}`), template_id: this.template });
    await this.bulk(number);
    await this.inbox(`reader-${number}`);
  }

  /** Waits until every notification has ended, and returns how many there are and how many requests were made. */
  async finish(): Promise<{ notifications: number; unsent: number; requests: number }> {
    const until = Date.now() + DEADLINE_MS;
    for (const id of this.notifications) {
      for (;;) {
        const { deliveries } = await this.call('GET', `/notifications/${id}`);
        if (deliveries.every(isFinal)) break;
        if (Date.now() > until) throw new Error(`notification ${id} has not ended: ${JSON.stringify(deliveries)}`);
        await delay(100);
      }
    }
    for (const id of this.cancelled) assert.deepEqual(await this.statesOf(id), ['cancelled']);
    for (const id of this.optedOut) assert.deepEqual(await this.statesOf(id), ['suppressed']);
    const unsent = this.cancelled.size + this.optedOut.size;
    return { notifications: this.notifications.size, unsent, requests: this.requests };
  }

  private async statesOf(id: string): Promise<string[]> {
    const { deliveries } = await this.call('GET', `/notifications/${id}`);
    return deliveries.map(({ state }: Json) => state);
  }

  private keep(id: string): void {
    assert.ok(!this.notifications.has(id), `two notifications have the id ${id}`);
    this.notifications.add(id);
  }

  /** A recipient whose address gets a message. */
  private recipient(id: string): Json {
    const recipient = recipientOf(id);
    this.addresses.add(recipient.recipient_address);
    return recipient;
  }

  private async send(body: Json): Promise<void> {
    this.keep((await this.call('POST', '/notifications', body)).id);
  }

  private async cancel(recipient: string): Promise<void> {
    const body = { ...mailTo(recipientOf(recipient)), scheduled_at: inMs(3_600_000) };
    const { id } = await this.call('POST', '/notifications', body);
    await this.call('DELETE', `/notifications/${id}`);
    this.cancelled.add(id);
  }

  private async optOut(recipient: string): Promise<void> {
    await this.call('PUT', `/recipients/${recipient}/preferences`, { channels: { email: false } });
    const { id } = await this.call('POST', '/notifications', mailTo(recipientOf(recipient)));
    this.keep(id);
    this.optedOut.add(id);
  }

  /** Sends to the address of the stored recipient. */
  private async storeRecipient({ recipient_id, recipient_address }: Json): Promise<void> {
    await this.call('PUT', `/recipients/${recipient_id}`, { email: recipient_address });
    await this.send({ channel, content: textOf(0), recipient_id });
  }

  private async bulk(number: number): Promise<void> {
    const recipients = Array.from({ length: 10 }, (_, index) => this.recipient(`bulk-${index}-${number}`));
    const { accepted } = await this.call('POST', '/notifications/bulk', {
      channel,
      content: textOf(number),
      recipients,
    });
    assert.equal(accepted.length, recipients.length);
    for (const { id } of accepted) this.keep(id);
  }

  /** Both releases read the answer that the other stored for the key. */
  private async sendTwice(body: Json, key: string): Promise<void> {
    const first = await this.call('POST', '/notifications', body, { 'Idempotency-Key': key });
    const second = await this.call('POST', '/notifications', body, { 'Idempotency-Key': key });
    assert.equal(second.id, first.id, 'a repeated request has another answer');
    this.keep(first.id);
  }

  private async inbox(recipient: string): Promise<void> {
    const send = { channel: 'in_app', recipient_id: recipient, content: { title: 'Hello', body: 'Hello there' } };
    for (let count = 0; count < 2; count += 1) await this.send(send);
    const { token } = await this.call('POST', `/recipients/${recipient}/inbox-token`, {});
    const asRecipient = { 'X-API-Key': '', Authorization: `Bearer ${token}` };
    const until = Date.now() + DEADLINE_MS;
    let items: Json[] = [];
    while (items.length < 2) {
      if (Date.now() > until) throw new Error(`the inbox of ${recipient} has ${items.length} of 2 items`);
      ({ data: items } = await this.call('GET', '/inbox', undefined, asRecipient));
      await delay(20);
    }
    await this.call('POST', `/inbox/${items[0].id}/read`, undefined, asRecipient);
    const counts = await this.call('GET', '/inbox/counts', undefined, asRecipient);
    assert.deepEqual([counts.total, counts.unread], [2, 1]);
  }

  private async call(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Json> {
    const url = this.urls[this.requests++ % this.urls.length] as string;
    const all = { 'X-API-Key': this.apiKey, ...headers };
    return await request(method, `${url}/api/v1${path}`, all, body);
  }
}

const channel = 'email';
const textOf = (number: number): Json => ({ subject: `Hello ${number}`, text: 'Hello there' });
const recipientOf = (id: string): Json => ({ recipient_id: id, recipient_address: `${id}@example.com` });
const mailTo = (recipient: Json): Json => ({ channel, content: textOf(0), ...recipient });

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();

/** Throws unless the answer is 2xx. Empty headers are not sent. */
export async function request(
  method: string,
  url: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<Json> {
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== ''));
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...given },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
