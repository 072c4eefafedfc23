// The WebSocket endpoint of the inbox. Authenticates during the HTTP upgrade: a request without a valid token never
// gets a socket.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import {
  type OnGatewayConnection,
  type OnGatewayDisconnect,
  type OnGatewayInit,
  WebSocketGateway,
  WebSocketServer,
} from '@nestjs/websockets';
import type { WebSocket } from 'ws';
import { InboxStore } from '#database';
import { DomainError } from '#domain';
import { bearerOf, checkAllowance } from '../access/authorize-request.js';
import type { InboxIdentity } from '../access/inbox-tokens.js';
import { RecipientAccess } from '../access/recipient-access.js';
import { parseSequenceNumber } from './inbox.schema.js';
import type { StreamEnd } from './stream-access.js';
import { type StreamConnection, StreamHub } from './stream-hub.js';
import type { UpgradeGatewayOptions, UpgradeServer } from './upgrade.adapter.js';

const PATH = '/api/v1/inbox/stream';
const PROTOCOL = 'carillon.v1';
const PING_SECONDS = 25;
const MAX_MISSED_PONGS = 2;
/** Sent with each ping, which browsers hide from pages: without a frame for a while, a client connects again. */
const HEARTBEAT = JSON.stringify({ type: 'heartbeat' });
const MAX_PAYLOAD = 64 * 1024;
/** Clients have no reason to send messages; more than this closes the connection. */
const MESSAGES_PER_PING = 100;

const CLOSE_ENDED = {
  expired: { code: 4_001, reason: 'token expired' },
  revoked: { code: 4_003, reason: 'access revoked' },
} satisfies Record<StreamEnd, object>;
const CLOSE_TOO_SLOW = 4_008;
const CLOSE_RESTARTING = 1_012;
const CLOSE_POLICY = 1_008;

const OPTIONS: UpgradeGatewayOptions = {
  path: PATH,
  // Compression reduces throughput to a seventh and needs memory for each socket.
  perMessageDeflate: false,
  maxPayload: MAX_PAYLOAD,
  handleProtocols: (protocols) => (protocols.has(PROTOCOL) ? PROTOCOL : false),
};

/** An authorized request for a stream. */
interface StreamRequest {
  identity: InboxIdentity;
  /** The sequence number of the last item that the client has. */
  since: number | null;
  /** The connection under the WebSocket. */
  socket: Duplex;
}

/** The state of a socket for the one timer that serves all of them; a timer for each would mean ten thousand timers. */
interface OpenSocket {
  /** In which second of every {@link PING_SECONDS} it is pinged. */
  readonly slot: number;
  /** Pings without a pong. */
  missed: number;
  /** Since the last ping. */
  messages: number;
  /** Seconds since it was closed as too slow or as ended, or null. */
  closingSeconds: number | null;
  /** Removes the stream. */
  remove: () => void;
}

@WebSocketGateway(OPTIONS)
export class InboxGateway
  implements
    OnGatewayInit<UpgradeServer>,
    OnGatewayConnection<WebSocket>,
    OnGatewayDisconnect<WebSocket>,
    OnApplicationBootstrap,
    OnModuleDestroy
{
  @WebSocketServer()
  private readonly server!: UpgradeServer;
  private readonly sockets = new Map<WebSocket, OpenSocket>();
  private opened = 0;
  private second = 0;
  private clock: NodeJS.Timeout | undefined;

  constructor(
    private readonly hub: StreamHub,
    private readonly inbox: InboxStore,
    private readonly access: RecipientAccess,
  ) {}

  afterInit(server: UpgradeServer): void {
    server.authorize = (request, url) => this.authorize(request, url);
    server.admit = (request) => this.hub.checkCapacity((request as StreamRequest).identity);
  }

  onApplicationBootstrap(): void {
    this.clock = setInterval(() => this.tick(), 1_000).unref();
  }

  /** Refuses further upgrades. StreamHub closes the open sockets. */
  onModuleDestroy(): void {
    clearInterval(this.clock);
    this.server.close();
  }

  handleConnection(webSocket: WebSocket, { identity, since, socket }: StreamRequest): void {
    this.opened += 1;
    const open: OpenSocket = {
      slot: this.opened % PING_SECONDS,
      missed: 0,
      messages: 0,
      closingSeconds: null,
      remove: () => undefined,
    };
    this.sockets.set(webSocket, open);
    webSocket.on('pong', () => {
      open.missed = 0;
    });
    webSocket.on('message', () => {
      open.messages += 1;
      if (open.messages > MESSAGES_PER_PING) webSocket.close(CLOSE_POLICY, 'too many messages');
    });
    webSocket.on('error', () => webSocket.terminate());
    const { tenantId, recipientId } = identity;
    const owner = { tenantId, recipientId, token: identity, keyId: null };
    open.remove = this.hub.open(owner, connectionOf(webSocket, socket, open), since);
  }

  handleDisconnect(webSocket: WebSocket): void {
    this.sockets.get(webSocket)?.remove();
    this.sockets.delete(webSocket);
  }

  /** Once a second: ends dead sockets, and pings those whose turn it is. */
  private tick(): void {
    this.second = (this.second + 1) % PING_SECONDS;
    for (const [webSocket, open] of this.sockets) {
      // A client that does not read does not answer the close either.
      if (open.closingSeconds !== null && ++open.closingSeconds > 1) webSocket.terminate();
      else if (open.slot !== this.second) continue;
      else if (open.missed >= MAX_MISSED_PONGS) webSocket.terminate();
      else {
        open.missed += 1;
        open.messages = 0;
        webSocket.ping();
        webSocket.send(HEARTBEAT);
      }
    }
  }

  private async authorize(request: IncomingMessage, url: URL): Promise<StreamRequest> {
    const identity = await this.authenticate(request, url);
    return { identity, since: sinceOf(url), socket: request.socket };
  }

  /** Authorization: Bearer, the sub-protocol pair `carillon.v1, <token>`, or a single-use `?token=`. */
  private async authenticate(request: IncomingMessage, url: URL): Promise<InboxIdentity> {
    const [protocol, offered] = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((part) => part.trim());
    const fromUrl = url.searchParams.get('token');
    const token = bearerOf(request) ?? (protocol === PROTOCOL ? offered : undefined) ?? fromUrl;
    if (!token)
      throw new DomainError(
        'unauthenticated',
        'Send a recipient token: Authorization: Bearer, the sub-protocols carillon.v1 and the token, or ?token=.',
      );
    const identity = await this.access.identify(token);
    await this.access.permit(identity, 'inbox:read', request.headers.origin);
    checkAllowance('recipient', await this.access.allowance(identity));
    if (token === fromUrl && !(await this.inbox.useToken(identity.tenantId, identity.jti, identity.expiresAt))) {
      throw new DomainError('unauthenticated', 'A token in a URL is valid once; this one was already used.');
    }
    return identity;
  }
}

function connectionOf(webSocket: WebSocket, socket: Duplex, open: OpenSocket): StreamConnection {
  return {
    kind: 'websocket',
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
    closeEnded: (end) => {
      const { code, reason } = CLOSE_ENDED[end];
      webSocket.close(code, reason);
      open.closingSeconds ??= 0;
    },
    closeRestarting: () => webSocket.close(CLOSE_RESTARTING, 'restarting'),
  };
}

function sinceOf(url: URL): number | null {
  const text = url.searchParams.get('since');
  return text === null ? null : parseSequenceNumber(text, '?since');
}
