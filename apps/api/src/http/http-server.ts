// The HTTP server around the controllers: request ids, authorization, body limits and parsers, the OpenAPI pages.

import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import { errorCodes, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Config } from '#config';
import { DomainError, type FieldError, newId, SECURITY_HEADERS, validationFailed } from '#domain';
import type { Logger } from '#telemetry';
import type { AuthorizeRequest } from '../access/authorize-request.js';
import { isFromConsole } from '../access/session-cookie.js';
import { checkJsonText, DEFAULT_BODY_LIMITS, shapeErrors, textError } from './body-shape.js';
import { answerPreflights } from './browser/cors.js';
import { pagePolicy } from './browser/page-policy.js';
import { answerClientError } from './client-error.js';
import { isOnOperatorListener, TIMEOUT_MS } from './http-listeners.js';
import { beginRequestTrace, observe } from './observe-request.js';
import { openApiDocument } from './openapi.js';
import { noSuchRoute, sendProblem } from './problem.filter.js';
import type { RawRequest } from './raw-body.js';
import { type Access, type CarillonRouteConfig, routeConfigOf } from './route-config.js';
import { checkMediaType, passStreams } from './streamed-body.js';

/** A rejected body of up to this size is read to its end, so that the connection can be reused; otherwise it closes. */
const DRAINED_BYTES = 5 * 1024 * 1024;
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

const DOCUMENTATION_PAGES = new Set(['/docs', '/docs/', '/docs/index.html']);
/** Swagger UI has its scripts in files; it sets styles in elements, and icons as data URLs. */
const DOCUMENTATION_POLICY = pagePolicy([
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
]);

export function createAdapter({ trustedProxies }: Pick<Config, 'trustedProxies'>): FastifyAdapter {
  return new FastifyAdapter({
    // `request.ip` is the first address before these proxies.
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    bodyLimit: DEFAULT_BODY_LIMITS.bytes,
    requestTimeout: TIMEOUT_MS,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    http: { headersTimeout: TIMEOUT_MS, maxHeaderSize: 16 * 1024 },
    // The longest parameter is a device token of 4,096 characters, three times as long when every character is escaped.
    routerOptions: { maxParamLength: 16_384 },
    genReqId: (request: { headers: Record<string, string | string[] | undefined> }) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : newId();
    },
    clientErrorHandler: answerClientError,
    // An address that cannot be decoded. It has no route, so no hook sees the request.
    frameworkErrors: (_error: Error, request: FastifyRequest, reply: FastifyReply) => {
      reply.headers(SECURITY_HEADERS).header('X-Request-Id', request.id);
      sendProblem(reply, request, noSuchRoute(request));
    },
  });
}

export interface ServerParts {
  config: Config;
  logger: Logger;
  authorize: AuthorizeRequest;
}

/** Call before Nest adds its routes: hooks apply only to routes that are added later. */
export function prepareServer(app: NestFastifyApplication, { config, logger, authorize }: ServerParts): void {
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  parseJson(fastify);
  parseText(fastify);
  passStreams(fastify);
  fastify.addHook('onRoute', (route) => {
    const { body } = (route.config ?? {}) as CarillonRouteConfig;
    if (body) route.bodyLimit = body.bytes;
  });
  answerPreflights(fastify);
  fastify.addHook('onRequest', (request, reply, done) => {
    const { access, contentSecurityPolicy } = routeConfigOf(request);
    const exists = !request.is404 && !isOnWrongPort(request, access, config);
    reply.headers(SECURITY_HEADERS).header('X-Request-Id', request.id);
    if (exists && contentSecurityPolicy) reply.header('Content-Security-Policy', contentSecurityPolicy);
    beginRequestTrace(request);
    if (!(Number(request.headers['content-length'] ?? 0) <= DRAINED_BYTES)) reply.header('Connection', 'close');
    done(exists ? undefined : noSuchRoute(request));
  });
  // Authorizes and checks Content-Length from the headers, so a rejected request never causes body parsing.
  fastify.addHook('onRequest', async (request, reply) => {
    const { access } = routeConfigOf(request);
    // The same address shows another tenant with another key, cookie or X-Carillon-Tenant. Only a GET can be cached.
    if (request.method === 'GET' && isOfCaller(access)) reply.header('Cache-Control', 'no-store');
    if (access) await authorize.run(request, reply, access);
    checkMediaType(request);
    checkLength(request);
    checkAddressText(request);
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    observe(request, reply, logger);
    done();
  });
  serveDocumentation(app, fastify);
}

function isOfCaller(access: Access | undefined): boolean {
  return access?.kind === 'tenant' || access?.kind === 'recipient' || access?.kind === 'operator';
}

/**
 * With INTERNAL_PORT, operator routes exist on that port only, and other routes do not exist there, except for the
 * console and its requests: operators read the data of tenants there. The access rule of the matched route decides, so
 * the spelling of the path has no effect.
 */
function isOnWrongPort(request: FastifyRequest, access: Access | undefined, config: Config): boolean {
  if (config.internalPort === undefined || access?.kind === 'console') return false;
  const isForTenants = access?.kind === 'tenant' || access?.kind === 'recipient';
  if (isForTenants && config.console.enabled && isFromConsole(request)) return false;
  return (access?.kind === 'operator') !== isOnOperatorListener(request);
}

/** Fastify measures bodies without a Content-Length while it reads them. */
function checkLength(request: FastifyRequest): void {
  const bytes = Number(request.headers['content-length'] ?? 0);
  const { bytes: limit } = routeConfigOf(request).body ?? DEFAULT_BODY_LIMITS;
  if (bytes > limit)
    throw new DomainError('payload_too_large', `The body has ${bytes} bytes, at most ${limit} are allowed here.`);
}

/** Rejects NUL in the path and the query: PostgreSQL cannot store it. A decoded URL cannot contain lone surrogates. */
function checkAddressText(request: FastifyRequest): void {
  if (!request.url.includes('%00')) return;
  const errorsIn = (values: unknown, root: string): FieldError[] =>
    Object.entries(values ?? {}).flatMap(([name, value]) => {
      const message = textError(name) ?? textError([value].flat().join());
      return message ? [{ pointer: `${root}${name}`, code: 'invalid_text', message }] : [];
    });
  const errors = [...errorsIn(request.params, '/'), ...errorsIn(request.query, '?')];
  if (errors.length > 0) throw validationFailed(errors);
}

/** Fastify's parser rejects `__proto__` and `constructor.prototype` keys. */
function parseJson(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    (request: FastifyRequest, body: string, done) => {
      if (isRaw(request)) return keepRaw(request, body, done);
      // Clients may send Content-Type: application/json with an empty body.
      if (body === '') return done(null, undefined);
      const limits = routeConfigOf(request).body ?? DEFAULT_BODY_LIMITS;
      try {
        checkJsonText(body, limits);
      } catch (error) {
        return done(error as Error);
      }
      // With a callback it returns nothing; its type allows for a promise.
      void parse(request, body, (error, parsed) => {
        if (error) return done(new DomainError('malformed_json', `The body is not JSON: ${error.message}`));
        const errors = shapeErrors(parsed, limits);
        done(errors.length > 0 ? validationFailed(errors) : null, parsed);
      });
    },
  );
}

/** Receipts and unsubscribe requests may have any content type. */
function parseText(fastify: FastifyInstance): void {
  fastify.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    if (isRaw(request)) return keepRaw(request, String(body), done);
    done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(request.headers['content-type'] ?? 'none'));
  });
}

function isRaw(request: FastifyRequest): boolean {
  return routeConfigOf(request).rawBody === true;
}

/** Checks the size of a JSON body now, because some receipts are parsed before their signature is verified. */
function keepRaw(request: FastifyRequest, body: string, done: (error: Error | null, body?: undefined) => void): void {
  const isJson = /^[ \t\r\n]*[{[]/.test(body);
  try {
    if (isJson) checkJsonText(body, routeConfigOf(request).body ?? DEFAULT_BODY_LIMITS);
    (request as RawRequest).rawBody = body;
    done(null);
  } catch (error) {
    done(error as Error);
  }
}

function serveDocumentation(app: NestFastifyApplication, fastify: FastifyInstance): void {
  let text: string | undefined;
  const document = (): string => {
    text ??= JSON.stringify(openApiDocument(app));
    return text;
  };
  fastify.get('/openapi.json', (_request, reply) => void reply.type('application/json').send(document()));
  fastify.addHook('onRoute', (route) => {
    if (DOCUMENTATION_PAGES.has(route.url))
      route.config = { ...route.config, ...{ contentSecurityPolicy: DOCUMENTATION_POLICY } };
  });
  SwaggerModule.setup('docs', app, () => openApiDocument(app), {
    customSiteTitle: 'Carillon API',
    // The default sends the document's address to validator.swagger.io.
    swaggerOptions: { validatorUrl: null },
  });
}
