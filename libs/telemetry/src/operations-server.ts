import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SECURITY_HEADERS } from '#domain';
import { answerMetrics } from './metrics.js';

export interface Readiness {
  ready: boolean;
  /** A short text per check, for operators. */
  checks: Record<string, string>;
}

export interface OperationsServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/livez`, `/readyz` and `/metrics` on a separate port, for probes and scrapers.
 *
 * `fallback`: uses any free port if this one is in use. For the embedded profile, where a Prometheus may run on 9090.
 */
export async function startOperationsServer(options: {
  port: number;
  host: string;
  readiness: () => Promise<Readiness>;
  fallback: boolean;
}): Promise<OperationsServer> {
  const server = createServer((request, response) => {
    response.setHeaders(new Map(Object.entries(SECURITY_HEADERS)));
    const path = request.url?.split('?')[0];
    if (path === '/metrics') answerMetrics(request, response);
    else if (path === '/livez') answer(response, 200, { status: 'ok' });
    else if (path === '/readyz') {
      options.readiness().then(
        (found) =>
          answer(response, found.ready ? 200 : 503, { status: found.ready ? 'ok' : 'not_ready', checks: found.checks }),
        () => answer(response, 503, { status: 'not_ready' }),
      );
    } else answer(response, 404, { status: 'not_found' });
  });
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  await listen(server, options.port, options.host).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE' || !options.fallback) throw error;
    await listen(server, 0, options.host);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
