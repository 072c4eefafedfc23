// The requests of the load: it creates a tenant of its own, sends, and opens inbox streams.

import { Pool } from 'undici';
import { WebSocket } from 'ws';

/** A test key reaches no one, whatever the address. */
const ADDRESS = 'load@example.com';
const TEMPLATE = 'load-test';
const CONTENT = {
  email: { subject: 'Load test', text: 'Number {{sequence}}' },
  in_app: { title: 'Load test {{sequence}}', body: 'One of many' },
};

export interface LoadClient {
  /** Sends one notification and returns its id. Throws an error if it is not accepted. */
  send(recipientId: string, channels: readonly string[], number: number): Promise<string>;
  statusOf(id: string): Promise<string>;
  /** Opens the inbox stream of a recipient. `onItem` gets the number of each send. */
  openStream(recipientId: string, onItem: (number: number) => void): Promise<WebSocket>;
  close(): Promise<void>;
}

type Answer = Record<string, unknown>;
type Call = (method: 'GET' | 'POST', path: string, body?: object) => Promise<Answer>;

/**
 * Creates a tenant without a practical request limit and a test key, with which no message leaves the sandbox.
 * `internalUrl`: where /internal is, if it has a port of its own.
 */
export async function makeClient(url: string, internalUrl: string, adminToken: string): Promise<LoadClient> {
  const pool = new Pool(url, { connections: 64, keepAliveTimeout: 9_000 });
  const call = callerOf(pool, { 'x-api-key': await makeTestKey(internalUrl, adminToken) });
  for (const [channel, content] of Object.entries(CONTENT))
    await call('POST', '/api/v1/templates', { key: TEMPLATE, channel, content });

  return {
    send: async (recipientId, channels, number) => {
      const sent = await call('POST', '/api/v1/notifications', {
        recipient: { id: recipientId, email: ADDRESS },
        channels,
        template_id: TEMPLATE,
        payload: { sequence: number },
        idempotency_key: `load-${number}`,
      });
      return String(sent['id']);
    },
    statusOf: async (notification) => String((await call('GET', `/api/v1/notifications/${notification}`))['status']),
    openStream: async (recipientId, onItem) => {
      const minted = await call('POST', `/api/v1/recipients/${recipientId}/inbox-token`, {});
      const address = `${url.replace(/^http/, 'ws')}/api/v1/inbox/stream`;
      const socket = new WebSocket(address, ['carillon.v1', String(minted['token'])], { perMessageDeflate: false });
      return await new Promise((resolve, reject) => {
        socket.on('error', reject);
        socket.on('message', (data: Buffer) => {
          const text = data.toString();
          const item = /"title":"Load test (\d+)"/.exec(text);
          if (item) onItem(Number(item[1]));
          else if (text.startsWith('{"type":"ready"')) resolve(socket);
        });
      });
    },
    close: () => pool.close(),
  };
}

/** Creates the tenant and returns its key. */
async function makeTestKey(internalUrl: string, adminToken: string): Promise<string> {
  const pool = new Pool(internalUrl, { connections: 1 });
  const call = callerOf(pool, { 'x-admin-token': adminToken });
  const settings = { requests_per_minute: 10_000_000 };
  const { id } = await call('POST', '/internal/tenants', { name: 'Load test', settings });
  const key = await call('POST', `/internal/tenants/${id}/api-keys`, { name: 'Load', mode: 'test' });
  await pool.close();
  return String(key['api_key']);
}

/** Makes requests with these headers. Throws an error for an answer of 300 or above. */
function callerOf(pool: Pool, headers: Record<string, string>): Call {
  return async (method, path, body) => {
    const answer = await pool.request({
      method,
      path,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300)
      throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text.slice(0, 1_000)}`);
    return JSON.parse(text) as Answer;
  };
}
