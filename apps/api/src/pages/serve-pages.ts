import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#domain';
import { sendProblem } from '../http/problem.filter.js';
import { demoPage } from './demo.page.js';
import type { DemoTenant } from './demo-tenant.js';
import { mailboxPage } from './mailbox.page.js';
import { startPage } from './start.page.js';

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  "script-src 'unsafe-inline'",
  "connect-src 'self' ws: wss:",
  "frame-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * `/`, `/mailbox` and `/demo`. They contain the demo tenant's API key, so they are served for the names of this machine
 * only. This prevents DNS rebinding: a site whose name resolves to this machine cannot read them.
 */
export function servePages(app: NestFastifyApplication, demo: DemoTenant): void {
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const page = (path: string, html: string): void => {
    fastify.get(path, (request: FastifyRequest, reply: FastifyReply) => {
      if (!/^(localhost|127\.0\.0\.1|\[::1\])$/.test(request.hostname) && request.hostname !== '::1') {
        return sendProblem(reply, request, new DomainError('not_found', 'The pages are served on localhost only.'));
      }
      reply
        .type('text/html; charset=utf-8')
        .header('Cache-Control', 'no-store')
        .header('X-Content-Type-Options', 'nosniff')
        .header('Referrer-Policy', 'no-referrer')
        .header('Content-Security-Policy', CONTENT_SECURITY_POLICY);
      void reply.send(html);
    });
  };
  page('/', startPage());
  page('/mailbox', mailboxPage(demo));
  page('/demo', demoPage(demo));
}
