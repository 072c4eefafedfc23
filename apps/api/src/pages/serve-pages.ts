import { readFile } from 'node:fs/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#domain';
import { pagePolicy } from '../http/browser/page-policy.js';
import { sendProblem } from '../http/problem.filter.js';
import { demoPage } from './demo.page.js';
import type { DemoTenant } from './demo-tenant.js';
import { mailboxPage } from './mailbox.page.js';
import { startPage } from './start.page.js';

const contentSecurityPolicy = pagePolicy([
  "style-src 'unsafe-inline'",
  "script-src 'unsafe-inline' 'self'",
  "connect-src 'self' ws: wss:",
  "frame-src 'self'",
  'img-src data:',
]);

/** The bundle of packages/inbox, which the build copies into dist/apps. */
const INBOX = new URL('../../../inbox/inbox.js', import.meta.url);

/**
 * `/`, `/mailbox` and `/demo`. They contain the demo tenant's API key, so they are served for the names of this machine
 * only. This prevents DNS rebinding: a site whose name resolves to this machine cannot read them.
 */
export function servePages(app: NestFastifyApplication, demo: DemoTenant): void {
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const page = (path: string, html: string): void => {
    fastify.get(path, { config: { contentSecurityPolicy } }, (request: FastifyRequest, reply: FastifyReply) => {
      if (!/^(localhost|127\.0\.0\.1|\[::1\])$/.test(request.hostname) && request.hostname !== '::1') {
        return sendProblem(reply, request, new DomainError('not_found', 'The pages are served on localhost only.'));
      }
      void reply.type('text/html; charset=utf-8').header('Cache-Control', 'no-store').send(html);
    });
  };
  page('/', startPage(demo));
  page('/mailbox', mailboxPage(demo));
  page('/demo', demoPage(demo));
  fastify.get('/demo/inbox.js', async (_request, reply) => {
    void reply.type('text/javascript; charset=utf-8').header('Cache-Control', 'no-cache');
    return await readFile(INBOX);
  });
}
