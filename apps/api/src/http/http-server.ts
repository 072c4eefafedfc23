// The HTTP server around the controllers: request ids, body limits, the log line and the metric of each request, the
// listener of the operator, the OpenAPI pages.

import { createServer, type Server } from 'node:http';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Config } from '#config';
import { DomainError, type FieldError, newId } from '#domain';
import { instruments, type Logger } from '#telemetry';

import type { CarillonRequest } from './access.js';
import type { AuthorizeRequest } from './authorize-request.js';
import { checkJsonText, DEFAULT_BODY_LIMITS, shapeErrors, textFault } from './body-shape.js';
import { openApiDocument } from './openapi.js';
import type { RawRequest } from './raw-body.js';
import { validationFailed } from './request-schema.pipe.js';
import { type CarillonRouteConfig, routeConfigOf } from './route-config.js';

/** A body that is refused unread is drained up to this size, so that its connection can be used again; a larger one is closed. */
const DRAINED_BYTES = 5 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

export function createAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: DEFAULT_BODY_LIMITS.bytes,
    requestTimeout: TIMEOUT_MS,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    http: { headersTimeout: TIMEOUT_MS, maxHeaderSize: 16 * 1024 },
    // A recipient id of 255 characters may be three times as long when it is escaped.
    routerOptions: { maxParamLength: 16_384 },
    genReqId: (request: { headers: Record<string, string | string[] | undefined> }) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : newId();
    },
  });
}

/** The header as it is, when it has the form of W3C Trace Context; null otherwise. */
export function traceparentOf(header: unknown): string | null {
  return typeof header === 'string' && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header) ? header : null;
}

export interface ServerParts {
  config: Config;
  logger: Logger;
  authorize: AuthorizeRequest;
}

/** Must run before Nest adds its routes. */
export function prepareServer(app: NestFastifyApplication, { config, logger, authorize }: ServerParts): void {
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  takeJson(fastify);
  takeRaw(fastify);
  fastify.addHook('onRoute', (route) => {
    const { body } = (route.config ?? {}) as CarillonRouteConfig;
    if (body) route.bodyLimit = body.bytes;
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.header('X-Request-Id', request.id);
    (request as CarillonRequest).traceparent = traceparentOf(request.headers.traceparent);
    if (!(Number(request.headers['content-length'] ?? 0) <= DRAINED_BYTES)) reply.header('Connection', 'close');
    done(request.is404 || isOnWrongPort(request, config) ? noSuchRoute(request) : undefined);
  });
  // Authorizes and checks Content-Length from the headers, so a rejected request never causes body parsing.
  fastify.addHook('onRequest', async (request, reply) => {
    const { access } = routeConfigOf(request);
    if (access) await authorize.run(request, reply, access);
    checkLength(request);
    checkAddressText(request);
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const { caller, traceparent } = request as CarillonRequest;
    // The pattern, not the path: ids and tokens stay out of logs and labels.
    const route = request.routeOptions.url ?? 'unknown';
    const seconds = reply.elapsedTime / 1_000;
    instruments().requests.record(seconds, { method: request.method, route, status: reply.statusCode });
    const line = {
      request_id: request.id,
      trace_id: traceparent?.slice(3, 35),
      tenant_id: caller?.tenantId,
      key_id: caller?.keyId ?? undefined,
      method: request.method,
      route,
      status: reply.statusCode,
      duration_ms: Math.round(reply.elapsedTime),
    };
    if (reply.statusCode >= 500) logger.error(line, 'request');
    else if (reply.statusCode >= 400) logger.info(line, 'request');
    else logger.debug(line, 'request');
    done();
  });
  serveDocumentation(app, fastify);
}

function isOnWrongPort(request: FastifyRequest, { internalPort }: Config): boolean {
  if (internalPort === undefined) return false;
  return request.url.startsWith('/internal') !== (request.socket.localPort === internalPort);
}

function noSuchRoute(request: FastifyRequest): DomainError {
  return new DomainError('not_found', `There is no route ${request.method} ${request.url.split('?')[0]}.`);
}

/** A body that does not say its length is measured by Fastify while it comes. */
function checkLength(request: FastifyRequest): void {
  const bytes = Number(request.headers['content-length'] ?? 0);
  const { bytes: most } = routeConfigOf(request).body ?? DEFAULT_BODY_LIMITS;
  if (bytes > most)
    throw new DomainError('payload_too_large', `The body has ${bytes} bytes, at most ${most} are allowed here.`);
}

/** Rejects NUL in the path and the query: PostgreSQL cannot store it. A decoded URL cannot contain lone surrogates. */
function checkAddressText(request: FastifyRequest): void {
  if (!request.url.includes('%00')) return;
  const faultsIn = (values: unknown, root: string): FieldError[] =>
    Object.entries(values ?? {}).flatMap(([name, value]) => {
      const message = textFault(name) ?? textFault([value].flat().join());
      return message ? [{ pointer: `${root}${name}`, code: 'invalid_text', message }] : [];
    });
  const faults = [...faultsIn(request.params, '/'), ...faultsIn(request.query, '?')];
  if (faults.length > 0) throw validationFailed(faults);
}

/** JSON only; keys that reach for a prototype are refused by Fastify's parser. */
function takeJson(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    (request: FastifyRequest, body: string, done) => {
      if (isRaw(request)) return keepRaw(request, body, done);
      // A POST that needs no body may say that it is JSON all the same.
      if (body === '') return done(null, undefined);
      const limits = routeConfigOf(request).body ?? DEFAULT_BODY_LIMITS;
      try {
        checkJsonText(body, limits);
      } catch (fault) {
        return done(fault as Error);
      }
      parse(request, body, (error, parsed) => {
        if (error) return done(new DomainError('malformed_json', `The body is not JSON: ${error.message}`));
        const faults = shapeErrors(parsed, limits);
        done(faults.length > 0 ? validationFailed(faults) : null, parsed);
      });
    },
  );
}

/** Vendors' calls and mail clients' clicks, in whatever type they come. */
function takeRaw(fastify: FastifyInstance): void {
  fastify.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    if (isRaw(request)) return keepRaw(request, String(body), done);
    done(new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(request.headers['content-type'] ?? 'none'));
  });
}

function isRaw(request: FastifyRequest): boolean {
  return routeConfigOf(request).rawBody === true;
}

/** A report in JSON is parsed before its signature is known to be right: the number of its parts is checked first. */
function keepRaw(request: FastifyRequest, body: string, done: (error: Error | null, body?: undefined) => void): void {
  const isJson = /^[ \t\r\n]*[{[]/.test(body);
  try {
    if (isJson) checkJsonText(body, routeConfigOf(request).body ?? DEFAULT_BODY_LIMITS);
    (request as RawRequest).rawBody = body;
    done(null);
  } catch (fault) {
    done(fault as Error);
  }
}

function serveDocumentation(app: NestFastifyApplication, fastify: FastifyInstance): void {
  let text: string | undefined;
  const document = (): string => {
    text ??= JSON.stringify(openApiDocument(app));
    return text;
  };
  fastify.get('/openapi.json', (_request, reply) => void reply.type('application/json').send(document()));
  SwaggerModule.setup('docs', app, () => openApiDocument(app), { customSiteTitle: 'Carillon API' });
}

/** The operator's own listener, on the same routes. */
export async function listenInternally(app: NestFastifyApplication, config: Config): Promise<Server | undefined> {
  if (config.internalPort === undefined) return undefined;
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const server = createServer({ requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS }, (request, response) =>
    fastify.routing(request, response),
  );
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(config.internalPort, config.host, resolve),
  );
  return server;
}
