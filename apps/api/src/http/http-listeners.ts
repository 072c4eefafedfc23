import { createServer, IncomingMessage, type Server } from 'node:http';
import { type BeforeApplicationShutdown, Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import type { Config } from '#config';
import { CONFIG } from '../tokens.js';

/** For the headers, and for the whole request. */
export const TIMEOUT_MS = 10_000;
/** How long open requests may take at shutdown. */
const DRAIN_MS = 10_000;

/** A request that the operator's listener has received. */
export class OperatorMessage extends IncomingMessage {}

export function isOnOperatorListener(request: { raw: IncomingMessage }): boolean {
  return request.raw instanceof OperatorMessage;
}

/** The operator's listener on INTERNAL_PORT, and the deadline for open requests at shutdown. */
@Injectable()
export class HttpListeners implements BeforeApplicationShutdown, OnApplicationShutdown {
  private internal: Server | undefined;
  private deadline: NodeJS.Timeout | undefined;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Call after `app.listen()`: Fastify has its routes only then. The operator's listener serves the same ones. */
  async listenInternally(): Promise<void> {
    const { internalPort, internalHost } = this.config;
    if (internalPort === undefined) return;
    const fastify = this.adapterHost.httpAdapter.getInstance() as FastifyInstance;
    const options = { requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, IncomingMessage: OperatorMessage };
    const server = createServer(options, (request, response) => fastify.routing(request, response));
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(internalPort, internalHost, resolve),
    );
    this.internal = server;
  }

  /** Nest closes the public listener and waits for its requests after this hook. */
  beforeApplicationShutdown(): void {
    this.internal?.close();
    const server = this.adapterHost.httpAdapter.getHttpServer() as Server;
    this.deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  }

  onApplicationShutdown(): void {
    clearTimeout(this.deadline);
  }
}
