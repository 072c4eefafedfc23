// Bodies that a handler reads while they arrive. The server's time limit for a whole request does not apply to them;
// limits of their own end the connections of slow clients.

import type { Socket } from 'node:net';
import { applyDecorators } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import { errorCodes, type FastifyInstance, type FastifyRequest } from 'fastify';
import { DEFAULT_BODY_LIMITS } from './body-shape.js';
import { routeConfig, routeConfigOf } from './route-config.js';

const MEDIA_TYPE = 'application/x-ndjson';
interface TimeLimits {
  idleMs: number;
  wholeMs: number;
}

/** The longest time without a byte. Longer than the API takes to store what it has read. */
const IDLE_MS = 30_000;
/** The longest time for the whole body. Less than the age at which ExpiredRowsStore deletes lines without a job. */
const WHOLE_MS = 30 * 60_000;
const TIME_LIMITS: TimeLimits = { idleMs: IDLE_MS, wholeMs: WHOLE_MS };

/** Connections on which such a body arrives. */
const streaming = new WeakSet<Socket>();

/** The body of the request is the stream of an NDJSON body of at most `bytes`. The handler limits what it reads. */
export function StreamedBody(bytes: number): MethodDecorator {
  return applyDecorators(
    routeConfig({ streamedBody: true, body: { ...DEFAULT_BODY_LIMITS, bytes } }),
    ApiConsumes(MEDIA_TYPE),
    ApiBody({ schema: { type: 'string' }, required: true }),
  );
}

/** Call after the other parsers are set. */
export function passStreams(fastify: FastifyInstance, limits: TimeLimits = TIME_LIMITS): void {
  fastify.addContentTypeParser(MEDIA_TYPE, (request, payload, done) => {
    if (!routeConfigOf(request).streamedBody) return done(invalidMediaType(request));
    limitTime(request, limits);
    done(null, payload);
  });
}

/** Whether a streamed body is arriving: the server's time limit for a request does not end this connection. */
export function isStreaming(socket: Socket): boolean {
  return streaming.has(socket);
}

/** Before the body is parsed, because the parsers of other media types keep the whole body in memory. */
export function checkMediaType(request: FastifyRequest): void {
  if (!routeConfigOf(request).streamedBody) return;
  const [given] = (request.headers['content-type'] ?? '').split(';');
  if (given!.trim().toLowerCase() !== MEDIA_TYPE) throw invalidMediaType(request);
}

function invalidMediaType(request: FastifyRequest): Error {
  return new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE(request.headers['content-type'] ?? 'none');
}

/** Node destroys a connection whose time-out passes, and sets the time-out for the next request. */
function limitTime({ raw }: FastifyRequest, { idleMs, wholeMs }: TimeLimits): void {
  const { socket } = raw;
  streaming.add(socket);
  socket.setTimeout(idleMs);
  const timer = setTimeout(() => socket.destroy(), wholeMs);
  raw.once('close', () => {
    clearTimeout(timer);
    streaming.delete(socket);
  });
}
