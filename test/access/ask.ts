// Sends one request of the attack matrix: over HTTP, as a stream of server-sent events, or as a WebSocket upgrade.

import { type IncomingMessage, request } from 'node:http';
import { WebSocket } from 'ws';

export interface Attack {
  base: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: unknown;
}

export interface Received {
  status: number;
  contentType: string;
  /** The body; the frames of a stream up to the first counters. */
  text: string;
}

/** The frame that follows the items which existed when a stream with `since` opened. */
const LAST_FRAME = '"type":"counts"';

let used = 0;

/** Each request has an address of its own, so that the limits on failed requests from one address do not answer. */
function nextAddress(): string {
  used += 1;
  return `127.77.${Math.floor(used / 250) % 250}.${1 + (used % 250)}`;
}

export function ask({ base, method, path, headers, body }: Attack): Promise<Received> {
  return new Promise((resolve, reject) => {
    const isStream = typeof body === 'string';
    const text = body === undefined ? undefined : isStream ? body : JSON.stringify(body);
    const contentType = isStream ? 'application/x-ndjson' : 'application/json';
    const outgoing = request(
      base + path,
      {
        method,
        localAddress: nextAddress(),
        headers: { ...headers, ...(text !== undefined && { 'Content-Type': contentType }) },
      },
      (response) =>
        void read(response).then((received) => {
          outgoing.destroy();
          resolve(received);
        }, reject),
    );
    outgoing.on('error', reject).end(text);
  });
}

async function read(response: IncomingMessage): Promise<Received> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.includes(LAST_FRAME)) break;
  }
  return { status: response.statusCode ?? 0, contentType: response.headers['content-type'] ?? '', text };
}

/** Status 101 and the frames, or the refusal of the upgrade. */
export function askForSocket(
  { base, path, headers }: Attack,
  token: string | undefined,
  tokenIn: 'header' | 'protocol' | 'query',
): Promise<Received> {
  const url = `${base.replace('http', 'ws')}${path}${tokenIn === 'query' && token ? `&token=${token}` : ''}`;
  const protocols = tokenIn === 'protocol' && token ? ['carillon.v1', token] : ['carillon.v1'];
  const { Authorization: _bearer, ...others } = headers;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, {
      headers: tokenIn === 'header' ? headers : others,
      localAddress: nextAddress(),
    });
    let text = '';
    socket.on('message', (frame) => {
      text += `${String(frame)}\n`;
      if (!text.includes(LAST_FRAME)) return;
      socket.terminate();
      resolve({ status: 101, contentType: 'frames', text });
    });
    socket.on('unexpected-response', (_request, response) => void read(response).then(resolve, reject));
    socket.on('error', reject);
  });
}
