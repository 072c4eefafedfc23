import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#domain';
import { pagePolicy } from '../http/browser/page-policy.js';
import { noSuchRoute, sendProblem } from '../http/problem.filter.js';
import type { CarillonRouteConfig } from '../http/route-config.js';

/** Mantine sets styles in elements. 'self' includes WebSockets to the same host. */
const contentSecurityPolicy = pagePolicy(
  [
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    // Previews of e-mails: a frame without an address has the policy of the page, so nothing is loaded from elsewhere.
    "frame-src 'self'",
  ],
  "'self'",
);
const config: CarillonRouteConfig = { access: { kind: 'console' }, contentSecurityPolicy };
/** Vite names the files in this folder by a hash of their content. */
const HASHED = 'assets/';
const MISSING = 'This build has no console: the folder dist/apps/console is missing. `npm run build` creates it.';

/**
 * Serves the files of the console under `/console`. Every other path there is a view of the console, which its
 * index.html shows. `directory`: the output of Vite, read at the start.
 */
export function serveConsole(fastify: FastifyInstance, directory: string): void {
  const files = filesIn(directory);
  const answer = (request: FastifyRequest, reply: FastifyReply): void => {
    const path = (request.params as { '*'?: string })['*'] ?? '';
    const isHashed = path.startsWith(HASHED);
    if (!files.has('index.html')) sendProblem(reply, request, new DomainError('not_found', MISSING));
    else if (isHashed && !files.has(path)) sendProblem(reply, request, noSuchRoute(request));
    else {
      reply.header('Vary', 'Accept-Encoding');
      reply.header('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      void reply.sendFile(files.has(path) ? path : 'index.html');
    }
  };
  void fastify.register((scope, _options, done) => {
    void scope.register(fastifyStatic, { root: directory, serve: false, preCompressed: true, cacheControl: false });
    scope.get('/console', { config }, answer);
    scope.get('/console/*', { config }, answer);
    done();
  });
}

function filesIn(directory: string): ReadonlySet<string> {
  if (!existsSync(directory)) return new Set();
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Set(entries.map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/')));
}
