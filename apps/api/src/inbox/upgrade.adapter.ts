import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocketAdapter } from '@nestjs/common';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { DomainError, SECURITY_HEADERS } from '#domain';
import type { Logger } from '#telemetry';
import { problemOf } from '../http/problem.filter.js';

/** The options of `@WebSocketGateway`: those of `ws`, and the path. */
export interface UpgradeGatewayOptions extends ServerOptions {
  path: string;
}

/** The server of one gateway. */
export class UpgradeServer extends WebSocketServer {
  /**
   * Set by the gateway. Throws to refuse the upgrade with that error; otherwise the result is the second argument of
   * `handleConnection`.
   */
  authorize: ((request: IncomingMessage, url: URL) => Promise<unknown>) | undefined;
  /**
   * Set by the gateway. Gets the result of `authorize` directly before the socket opens, with nothing awaited in
   * between, and throws to refuse the upgrade: for limits on the number of open sockets.
   */
  admit: ((authorized: unknown) => void) | undefined;
}

const AUTH_TIMEOUT_MS = 5_000;

/**
 * Runs gateways on `ws`. Unlike Nest's own adapter, it lets a gateway authorize a client during the HTTP upgrade,
 * before the client gets a socket, and leaves messages to the gateway.
 */
export class UpgradeAdapter implements WebSocketAdapter<UpgradeServer, WebSocket, UpgradeGatewayOptions> {
  private readonly servers = new Map<string, UpgradeServer>();

  constructor(
    http: Server,
    private readonly logger: Logger,
  ) {
    http.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      const deadline = setTimeout(() => socket.destroy(), AUTH_TIMEOUT_MS);
      this.upgrade(request, socket, head)
        .catch((error: unknown) => refuse(socket, error instanceof DomainError ? error : this.unexpected(error)))
        .finally(() => clearTimeout(deadline));
    });
  }

  /** Always on the port of the API. */
  create(_port: number, { path, ...options }: UpgradeGatewayOptions): UpgradeServer {
    const server = new UpgradeServer({ ...options, noServer: true });
    this.servers.set(path, server);
    return server;
  }

  bindClientConnect(server: UpgradeServer, callback: (client: WebSocket, authorized: unknown) => void): void {
    server.on('connection', callback);
  }

  bindClientDisconnect(client: WebSocket, callback: () => void): void {
    client.on('close', callback);
  }

  bindMessageHandlers(): void {}

  /** Does not wait for the clients to answer the close. */
  close(server: UpgradeServer): void {
    server.close();
  }

  /** Nest calls this after it has closed the servers. */
  dispose(): void {}

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    const server = this.servers.get(url?.pathname ?? '');
    if (!url || !server?.authorize)
      throw new DomainError('not_found', `There is no stream at ${request.url?.split('?')[0]}.`);
    const authorized = await server.authorize(request, url);
    server.admit?.(authorized);
    server.handleUpgrade(request, socket, head, (client) => server.emit('connection', client, authorized));
  }

  private unexpected(error: unknown): DomainError {
    this.logger.error({ err: error }, 'a WebSocket upgrade failed');
    return new DomainError('internal', 'Something went wrong on our side.');
  }
}

function refuse(socket: Duplex, error: DomainError): void {
  const body = JSON.stringify(problemOf(error, 'upgrade'));
  const { retryAfterSeconds } = error;
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Content-Type: application/problem+json',
    ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${Math.ceil(retryAfterSeconds)}`]),
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
