// The WebSocket endpoint of the inbox. Authenticates during the HTTP upgrade: a request without a valid token never
// gets a socket.

import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type WebSocket, WebSocketServer } from 'ws';
import { InboxStore } from '#database';
import { DomainError } from '#domain';
import type { Logger } from '#telemetry';
import type { InboxIdentity } from '../http/inbox-tokens.js';
import { problemOf } from '../http/problem.filter.js';
import { RecipientAccess } from '../http/recipient-access.js';
import { LOGGER } from '../tokens.js';
import { StreamHub } from './stream-hub.js';

const PATH = '/api/v1/inbox/stream';
const PROTOCOL = 'carillon.v1';
const PING_SECONDS = 25;
const MAX_MISSED_PONGS = 2;
const MAX_PAYLOAD = 64 * 1024;
/** Clients have no reason to send messages; more than this closes the connection. */
const MESSAGES_PER_PING = 100;
const AUTH_TIMEOUT_MS = 5_000;

export const CLOSE_EXPIRED = 4_001;
export const CLOSE_TOO_SLOW = 4_008;
const CLOSE_RESTARTING = 1_012;
const CLOSE_POLICY = 1_008;

/** The state of a socket for the one timer that serves all of them; a timer for each would mean ten thousand timers. */
interface OpenSocket {
  readonly webSocket: WebSocket;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** In which second of every {@link PING_SECONDS} it is pinged. */
  readonly slot: number;
  /** Pings without a pong. */
  missed: number;
  /** Since the last ping. */
  messages: number;
  /** Seconds since it was closed as too slow, or null. */
  closingSeconds: number | null;
}

@Injectable()
export class InboxGateway implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly server = new WebSocketServer({
    noServer: true,
    // Compression reduces throughput to a seventh and needs memory for each socket.
    perMessageDeflate: false,
    maxPayload: MAX_PAYLOAD,
    handleProtocols: (protocols) => (protocols.has(PROTOCOL) ? PROTOCOL : false),
  });
  private readonly sockets = new Set<OpenSocket>();
  private opened = 0;
  private second = 0;
  private clock: NodeJS.Timeout | undefined;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly hub: StreamHub,
    private readonly inbox: InboxStore,
    private readonly access: RecipientAccess,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const http = this.adapterHost.httpAdapter.getHttpServer() as Server;
    this.clock = setInterval(() => this.tick(), 1_000).unref();
    http.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      const deadline = setTimeout(() => socket.destroy(), AUTH_TIMEOUT_MS);
      this.upgrade(request, socket, head)
        .catch((error: unknown) => refuse(socket, error instanceof DomainError ? error : this.unexpected(error)))
        .finally(() => clearTimeout(deadline));
    });
  }

  /** Rejects further upgrades. StreamHub closes the open sockets. */
  beforeApplicationShutdown(): void {
    clearInterval(this.clock);
    this.server.close();
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname !== PATH) throw new DomainError('not_found', `There is no stream at ${url.pathname}.`);
    const identity = await this.authenticate(request, url);
    this.hub.checkCapacity(identity);
    const since = sinceOf(url);
    this.server.handleUpgrade(request, socket, head, (webSocket) => this.run(webSocket, socket, identity, since));
  }

  private run(
    webSocket: WebSocket,
    socket: Duplex,
    { tenantId, recipientId, expiresAt }: InboxIdentity,
    since: number | null,
  ): void {
    this.opened += 1;
    const open: OpenSocket = {
      webSocket,
      expiresAt: expiresAt.getTime(),
      slot: this.opened % PING_SECONDS,
      missed: 0,
      messages: 0,
      closingSeconds: null,
    };
    this.sockets.add(open);
    const remove = this.hub.open(
      { tenantId, recipientId },
      {
        send: (frames) => {
          socket.cork();
          for (const frame of frames) webSocket.send(JSON.stringify(frame));
          socket.uncork();
        },
        buffered: () => webSocket.bufferedAmount,
        closeTooSlow: () => {
          webSocket.close(CLOSE_TOO_SLOW, 'too slow: resume with since');
          open.closingSeconds ??= 0;
        },
        closeRestarting: () => webSocket.close(CLOSE_RESTARTING, 'restarting'),
      },
      since,
    );
    webSocket.on('pong', () => {
      open.missed = 0;
    });
    webSocket.on('message', () => {
      open.messages += 1;
      if (open.messages > MESSAGES_PER_PING) webSocket.close(CLOSE_POLICY, 'too many messages');
    });
    webSocket.on('error', () => webSocket.terminate());
    webSocket.on('close', () => {
      this.sockets.delete(open);
      remove();
    });
  }

  /** Once a second: closes expired and dead sockets, and pings those whose turn it is. */
  private tick(): void {
    const now = Date.now();
    this.second = (this.second + 1) % PING_SECONDS;
    for (const open of this.sockets) {
      // A client that does not read does not answer the close either.
      if (open.closingSeconds !== null && ++open.closingSeconds > 1) open.webSocket.terminate();
      else if (open.expiresAt <= now) open.webSocket.close(CLOSE_EXPIRED, 'token expired');
      else if (open.slot !== this.second) continue;
      else if (open.missed >= MAX_MISSED_PONGS) open.webSocket.terminate();
      else {
        open.missed += 1;
        open.messages = 0;
        open.webSocket.ping();
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
    const identity = await this.access.verify(token, 'inbox:read', request.headers.origin);
    if (token === fromUrl && !(await this.inbox.useToken(identity.tenantId, identity.jti, identity.expiresAt))) {
      throw new DomainError('unauthenticated', 'A token in a URL is valid once; this one was already used.');
    }
    return identity;
  }

  private unexpected(error: unknown): DomainError {
    this.logger.error({ err: error }, 'a WebSocket upgrade failed');
    return new DomainError('internal', 'Something went wrong on our side.');
  }
}

function sinceOf(url: URL): number | null {
  const text = url.searchParams.get('since');
  if (text === null) return null;
  const since = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(since)) {
    throw new DomainError('validation_failed', 'The query has 1 error.', {
      errors: [
        { pointer: '?since', code: 'invalid', message: `must be a sequence number, got ${JSON.stringify(text)}` },
      ],
    });
  }
  return since;
}

function refuse(socket: Duplex, error: DomainError): void {
  const body = JSON.stringify(problemOf(error, 'upgrade'));
  const { retryAfterSeconds } = error;
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterSeconds)}`]),
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
