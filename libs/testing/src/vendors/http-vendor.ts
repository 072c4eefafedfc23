import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProviderErrorKind } from '#domain';

/** A request as it reached the vendor. */
export interface Received {
  method: string;
  /** Path and query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Whether the request sends a message; others fetch tokens or verify credentials. */
  send: boolean;
  at: number;
}

export interface Reply {
  status: number;
  headers?: Record<string, string>;
  /** A string is sent unchanged, anything else as JSON. */
  body?: unknown;
}

/**
 * The vendor's behaviour for a send: a response, no response (`hang`), a reset after or before the body is read, or a
 * response that comes byte by byte without end (`drip`).
 */
export type Behaviour =
  | 'accept'
  | 'hang'
  | 'reset'
  | 'reset_early'
  | 'drip'
  | Reply
  | ((request: Received) => Reply | 'hang');

/** The protocol of one vendor. */
export interface VendorDescription {
  /** The provider's id. */
  id: string;
  /** Good credentials for a vendor at this address. */
  credentials: (url: string) => Record<string, unknown>;
  /** Everything in the credentials that must never appear in an error. */
  secrets: string[];
  /** An address that the vendor accepts; null if the account determines it. */
  to: string | null | ((url: string) => string);
  isSend: (request: Omit<Received, 'send' | 'at'>) => boolean;
  /** The response to a good send. */
  accept: (request: Received, number: number) => Reply;
  /** The response to any other request. Default: 200. */
  other?: (request: Received) => Reply;
  /** The vendor's refusals, and the kind that the provider must report for each. */
  refusals: Record<string, { kind: ProviderErrorKind; reply: Reply; retryAfterSeconds?: number }>;
}

/** A vendor on loopback that speaks its protocol, logs requests, and behaves as the test chooses. */
export interface Vendor {
  readonly description: VendorDescription;
  readonly url: string;
  readonly to: string | null;
  /** Every request, in order. */
  readonly log: Received[];
  /** The requests that send a message. */
  readonly sends: Received[];
  readonly credentials: Record<string, unknown>;
  behave(behaviour: Behaviour): void;
  /** Responds to the requests that hang as to good sends. */
  release(): void;
  close(): Promise<void>;
}

const DRIP_MS = 50;

/** Starts a vendor. With a key and a certificate for `localhost` it serves HTTPS under that name. */
export async function startVendor(
  description: VendorDescription,
  tls?: { key: string; cert: string },
): Promise<Vendor> {
  const log: Received[] = [];
  const hanging: (() => void)[] = [];
  let behaviour: Behaviour = 'accept';
  const onRequest = (incoming: IncomingMessage, response: ServerResponse): void => {
    void handle(incoming, response).catch(() => incoming.socket.destroy());
  };
  const server = tls ? createTlsServer(tls, onRequest) : createServer(onRequest);

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = headOf(incoming);
    if (behaviour === 'reset_early' && description.isSend(head)) {
      incoming.socket.resetAndDestroy();
      return;
    }
    let body = '';
    for await (const chunk of incoming) body += chunk;
    const whole = { ...head, body };
    const request: Received = { ...whole, send: description.isSend(whole), at: Date.now() };
    log.push(request);
    if (!request.send) {
      reply(response, description.other?.(request) ?? { status: 200, body: {} });
      return;
    }
    const chosen = typeof behaviour === 'function' ? behaviour(request) : behaviour;
    const accepted = (): Reply => description.accept(request, log.length);
    if (chosen === 'hang') hanging.push(() => reply(response, accepted()));
    else if (chosen === 'reset') incoming.socket.resetAndDestroy();
    else if (chosen === 'drip') await drip(response);
    else reply(response, typeof chosen === 'object' ? chosen : accepted());
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  return {
    description,
    url,
    to: typeof description.to === 'function' ? description.to(url) : description.to,
    log,
    get sends() {
      return log.filter(({ send }) => send);
    },
    credentials: description.credentials(url),
    behave: (next) => {
      behaviour = next;
    },
    release: () => {
      for (const answer of hanging.splice(0)) answer();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function headOf({ method, url, headers }: IncomingMessage): Omit<Received, 'send' | 'at'> {
  return { method: method!, path: url!, headers: headers as Record<string, string>, body: '' };
}

function reply(response: ServerResponse, { status, headers = {}, body }: Reply): void {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
    ...headers,
  });
  response.end(text);
}

async function drip(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  while (!response.destroyed) {
    response.write(' ');
    await delay(DRIP_MS);
  }
}

/** A refusal with a JSON body. */
export function refuses(kind: ProviderErrorKind, status: number, body: unknown, headers?: Record<string, string>) {
  return { kind, reply: { status, body, ...(headers && { headers }) } };
}

/** Two refusals that every HTTP vendor has: too many requests, with a delay; and unavailable. */
export const commonRefusals = {
  'slow down': { ...refuses('throttled', 429, {}, { 'retry-after': '7' }), retryAfterSeconds: 7 },
  'out of order': refuses('transient', 503, 'upstream connect error'),
} satisfies VendorDescription['refusals'];
