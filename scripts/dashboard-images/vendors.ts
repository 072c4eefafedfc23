// Vendors on loopback: Postmark with receipts, SendGrid, Twilio, Slack and an endpoint for webhooks.

import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const FROM = 'Carillon <carillon@example.com>';
const SECRET = randomBytes(24).toString('hex');
/** The time in which Postmark reports that a message was delivered. */
const RECEIPT_MS = 1_500;
const BOUNCED_PERCENT = 3;

export interface FakeVendor {
  url: string;
  /** Response times in milliseconds: half of them are up to a third longer. */
  respondIn(milliseconds: number): void;
  /** Answers every request with 503 until it is false again. */
  fail(fails: boolean): void;
  close(): void;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: object | string;
}

/** `accepted`: the vendor's answer to a request with this body. */
async function startVendor(milliseconds: number, accepted: (body: string) => Answer): Promise<FakeVendor> {
  let [usual, fails] = [milliseconds, false];
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    await delay(usual + randomInt(Math.ceil(usual / 3)) * randomInt(2));
    const answer = fails ? { status: 503, body: 'out of order' } : accepted(body);
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(typeof answer.body === 'object' ? JSON.stringify(answer.body) : answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    respondIn: (next) => {
      usual = next;
    },
    fail: (next) => {
      fails = next;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export interface Vendors {
  postmark: FakeVendor;
  sendgrid: FakeVendor;
  twilio: FakeVendor;
  slack: FakeVendor;
  endpoint: FakeVendor;
}

/** `receiptsUrl`: where Postmark reports to, once the account exists. */
export async function startVendors(receiptsUrl: () => string | undefined): Promise<Vendors> {
  const [postmark, sendgrid, twilio, slack, endpoint] = await Promise.all([
    startVendor(45, (body) => {
      const { Metadata } = JSON.parse(body) as { Metadata: { carillon: string } };
      void report(receiptsUrl(), Metadata.carillon);
      return { status: 200, body: { ErrorCode: 0, Message: 'OK', MessageID: randomUUID() } };
    }),
    startVendor(80, () => ({ status: 202, headers: { 'x-message-id': randomUUID() } })),
    startVendor(130, () => ({ status: 201, body: { sid: `SM${randomBytes(16).toString('hex')}`, status: 'queued' } })),
    startVendor(60, () => ({ status: 200, headers: { 'content-type': 'text/plain' }, body: 'ok' })),
    startVendor(25, () => ({ status: 204 })),
  ]);
  return { postmark, sendgrid, twilio, slack, endpoint };
}

/** Accounts of the platform, which all tenants use. The first account of a channel is tried first. */
export function accountsOf({ postmark, sendgrid, twilio, slack }: Vendors): Record<string, unknown>[] {
  const sid = `AC${randomBytes(16).toString('hex')}`;
  return [
    {
      provider: 'postmark',
      order: 1,
      credentials: { server_token: SECRET, from: FROM, webhook_password: SECRET, endpoint: postmark.url },
    },
    { provider: 'sendgrid', order: 2, credentials: { api_key: SECRET, from: FROM, endpoint: sendgrid.url } },
    {
      provider: 'twilio',
      credentials: { account_sid: sid, auth_token: SECRET, from: '+15005550006', endpoint: twilio.url },
    },
    { provider: 'slack', credentials: { webhook_url: `${slack.url}/services/T0/B0/${SECRET}` } },
  ];
}

async function report(url: string | undefined, carillon: string): Promise<void> {
  if (url === undefined) return;
  await delay(RECEIPT_MS);
  const RecordType = randomInt(100) < BOUNCED_PERCENT ? 'Bounce' : 'Delivery';
  const authorization = `Basic ${Buffer.from(`carillon:${SECRET}`).toString('base64')}`;
  await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify({ RecordType, Type: 'HardBounce', Metadata: { carillon } }),
  }).catch((error: Error) => console.error(`a receipt was lost: ${error.message}`));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}
