// CORS (https://fetch.spec.whatwg.org/#http-cors-protocol) of the routes that take a recipient token: pages of another
// origin may call them. Other routes have none, so browsers keep their answers from pages of other origins. Tokens are
// sent in a header and never as a cookie, so credentials are not allowed.

import type { FastifyInstance, FastifyReply } from 'fastify';
import type { CarillonRouteConfig } from '../route-config.js';

/**
 * A preflight has no token, so its tenant is unknown: all origins get the same answer. The headers of API keys are not
 * in it, so that browsers do not send keys.
 */
const PREFLIGHT_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, POST, PUT',
  'Access-Control-Allow-Headers':
    'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-Id, traceparent',
  // Seconds; no browser keeps it longer.
  'Access-Control-Max-Age': '7200',
} as const;

const EXPOSED_HEADERS = 'RateLimit, RateLimit-Policy, Retry-After, Idempotency-Replayed, X-Request-Id';

/** Answers the preflights of the routes that are added later. */
export function answerPreflights(fastify: FastifyInstance): void {
  const answered = new Set<string>();
  fastify.addHook('onRoute', ({ url, config }) => {
    if ((config as CarillonRouteConfig | undefined)?.access?.kind !== 'recipient' || answered.has(url)) return;
    answered.add(url);
    fastify.options(url, (_request, reply) => void reply.status(204).headers(PREFLIGHT_HEADERS).send());
  });
}

/** Lets the pages of this origin, or of all with `*`, read the answer: an origin that the tenant of the token lists. */
export function allowOrigin(reply: FastifyReply, origin: string): void {
  reply.headers({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED_HEADERS });
}

export function denyOrigins(reply: FastifyReply): void {
  reply.removeHeader('Access-Control-Allow-Origin').removeHeader('Access-Control-Expose-Headers');
}
