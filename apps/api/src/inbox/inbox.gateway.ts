// The WebSocket door of the inbox. Who it is, is asked in the HTTP upgrade: whoever has no good token never gets a socket.

import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { type WebSocket, WebSocketServer } from 'ws';
import type { InboxStore, Tenant, TenantsStore } from '#database';
import { DomainError } from '#domain';
import type { Logger } from '#telemetry';
import { type InboxIdentity, type InboxTokens } from '../http/inbox-tokens.js';
import { problemOf } from '../http/problem.filter.js';
import { MAX_STREAMS_PER_RECIPIENT, type StreamHub } from './stream-hub.js';

const PATH = '/api/v1/inbox/stream';
const PROTOCOL = 'carillon.v1';
const PING_SECONDS = 25;
const MAX_MISSED_PONGS = 2;
const MAX_PAYLOAD = 64 * 1024;
/** A browser has nothing to say here; a flood of messages ends the connection. */
const MESSAGES_PER_PING = 100;
const AUTH_TIMEOUT_MS = 5_000;
const TENANT_TTL_MS = 30_000;

export const CLOSE_EXPIRED = 4_001;
export const CLOSE_TOO_SLOW = 4_008;
const CLOSE_RESTARTING = 1_012;
const CLOSE_POLICY = 1_008;

/** What the one clock of all sockets needs of each: a timer each would cost ten thousand timers. */
interface OpenSocket {
  readonly webSocket: WebSocket;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The second of every {@link PING_SECONDS} in which it is pinged. */
  readonly slot: number;
  missed: number;
  /** Since the last ping. */
  messages: number;
  /** Ticks since it was told that it is too slow; null while it is not. */
  leaving: number | null;
}

export class InboxGateway {
  private readonly server = new WebSocketServer({
    noServer: true,
    // Compression costs 7x the throughput and a window of memory for each socket.
    perMessageDeflate: false,
    maxPayload: MAX_PAYLOAD,
    handleProtocols: (protocols) => (protocols.has(PROTOCOL) ? PROTOCOL : false),
  });
  private readonly lives = new Set<OpenSocket>();
  private opened = 0;
  private second = 0;
  private clock: NodeJS.Timeout | undefined;
  private readonly tenants = new LRUCache<string, Promise<Tenant | null>>({ max: 10_000, ttl: TENANT_TTL_MS });

  constructor(
    private readonly hub: StreamHub,
    private readonly inbox: InboxStore,
    private readonly tokens: InboxTokens,
    private readonly tenantStore: TenantsStore,
    private readonly logger: Logger,
  ) {}

  attach(http: Server): void {
    this.clock = setInterval(() => this.tick(), 1_000).unref();
    http.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      const late = setTimeout(() => socket.destroy(), AUTH_TIMEOUT_MS);
      this.upgrade(request, socket, head)
        .catch((error: unknown) => refuse(socket, error instanceof DomainError ? error : this.unexpected(error)))
        .finally(() => clearTimeout(late));
    });
  }

  close(): void {
    clearInterval(this.clock);
    this.hub.closeAll();
    this.server.close();
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname !== PATH) throw new DomainError('not_found', `There is no stream at ${url.pathname}.`);
    const identity = await this.authenticate(request, url);
    await this.checkTenant(identity, request.headers.origin);
    const owner = { tenantId: identity.tenantId, recipientId: identity.recipientId };
    if (this.hub.streamsOf(owner) >= MAX_STREAMS_PER_RECIPIENT) {
      throw new DomainError('rate_limited', `A recipient may have ${MAX_STREAMS_PER_RECIPIENT} streams.`, {
        retryAfterSeconds: 30,
      });
    }
    const since = sinceOf(url);
    this.server.handleUpgrade(request, socket, head, (webSocket) =>
      this.run(webSocket, socket, owner, identity, since),
    );
  }

  private run(
    webSocket: WebSocket,
    socket: Duplex,
    owner: { tenantId: string; recipientId: string },
    identity: InboxIdentity,
    since: number | null,
  ): void {
    this.opened += 1;
    const life: OpenSocket = {
      webSocket,
      expiresAt: identity.expiresAt.getTime(),
      slot: this.opened % PING_SECONDS,
      missed: 0,
      messages: 0,
      leaving: null,
    };
    this.lives.add(life);
    const leave = this.hub.open(
      owner,
      {
        send: (frames) => {
          socket.cork();
          for (const frame of frames) webSocket.send(JSON.stringify(frame));
          socket.uncork();
        },
        buffered: () => webSocket.bufferedAmount,
        closeTooSlow: () => {
          webSocket.close(CLOSE_TOO_SLOW, 'too slow: resume with since');
          life.leaving ??= 0;
        },
        closeRestarting: () => webSocket.close(CLOSE_RESTARTING, 'restarting'),
      },
      since,
    );
    webSocket.on('pong', () => {
      life.missed = 0;
    });
    webSocket.on('message', () => {
      life.messages += 1;
      if (life.messages > MESSAGES_PER_PING) webSocket.close(CLOSE_POLICY, 'too many messages');
    });
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('close', () => {
      this.lives.delete(life);
      leave();
    });
  }

  /** Once a second: ends what has expired or does not answer, and pings those whose turn it is. */
  private tick(): void {
    const now = Date.now();
    this.second = (this.second + 1) % PING_SECONDS;
    for (const life of this.lives) {
      // Whoever does not read does not answer a close either.
      if (life.leaving !== null && ++life.leaving > 1) life.webSocket.terminate();
      else if (life.expiresAt <= now) life.webSocket.close(CLOSE_EXPIRED, 'token expired');
      else if (life.slot !== this.second) continue;
      else if (life.missed >= MAX_MISSED_PONGS) life.webSocket.terminate();
      else {
        life.missed += 1;
        life.messages = 0;
        life.webSocket.ping();
      }
    }
  }

  /** Authorization: Bearer, the sub-protocol pair `carillon.v1, <token>`, or a single-use `?token=`. */
  private async authenticate(request: IncomingMessage, url: URL): Promise<InboxIdentity> {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const [protocol, offered] = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim());
    const fromUrl = url.searchParams.get('token');
    const token = bearer ?? (protocol === PROTOCOL ? offered : undefined) ?? fromUrl;
    if (!token)
      throw new DomainError(
        'unauthenticated',
        'Send a recipient token: Authorization: Bearer, the sub-protocols carillon.v1 and the token, or ?token=.',
      );
    const identity = await this.tokens.verify(token);
    if (!identity.scopes.has('inbox:read'))
      throw new DomainError('forbidden', 'This recipient token lacks the scope inbox:read.');
    if (token === fromUrl && !(await this.inbox.useToken(identity.tenantId, identity.jti, identity.expiresAt))) {
      throw new DomainError('unauthenticated', 'A token in a URL is good once; this one was used before.');
    }
    return identity;
  }

  private async checkTenant({ tenantId }: InboxIdentity, origin: string | undefined): Promise<void> {
    let found = this.tenants.get(tenantId);
    if (!found) {
      found = this.tenantStore.get(tenantId);
      this.tenants.set(tenantId, found);
      found.catch(() => this.tenants.delete(tenantId));
    }
    const tenant = await found;
    if (!tenant) throw new DomainError('unauthenticated', 'The recipient token is not valid or has expired.');
    if (tenant.status === 'suspended') throw new DomainError('forbidden', 'This tenant is suspended.');
    const allowed = tenant.settings.allowed_origins;
    if (allowed && origin !== undefined && !allowed.some((one) => new URL(one).origin === origin)) {
      throw new DomainError('forbidden', `The origin ${JSON.stringify(origin)} is not allowed by this tenant.`);
    }
  }

  private unexpected(error: unknown): DomainError {
    this.logger.error({ err: error }, 'an upgrade failed');
    return new DomainError('internal', 'Something went wrong on our side.');
  }
}

function sinceOf(url: URL): number | null {
  const text = url.searchParams.get('since');
  if (text === null) return null;
  const since = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(since)) {
    throw new DomainError('validation_failed', 'The query has 1 fault.', {
      errors: [
        { pointer: '?since', code: 'invalid', message: `must be a sequence number, got ${JSON.stringify(text)}` },
      ],
    });
  }
  return since;
}

function refuse(socket: Duplex, error: DomainError): void {
  const body = JSON.stringify(problemOf(error, 'upgrade'));
  const retry = error.retryAfterSeconds === undefined ? '' : `Retry-After: ${Math.ceil(error.retryAfterSeconds)}\r\n`;
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${retry}Connection: close\r\n\r\n${body}`,
  );
}
