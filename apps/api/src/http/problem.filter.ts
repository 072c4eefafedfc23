import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isUnavailable, unavailableOf } from '#database';
import { DomainError, type ErrorCode, errorCatalogue } from '#domain';
import { type Logger, traceIdOf } from '#telemetry';
import type { CarillonRequest } from '../access/access.js';
import { LOGGER } from '../tokens.js';

const DOCS = 'https://github.com/carillon-notify/carillon/blob/main/docs/errors.md';

/** Turns every error of a request into application/problem+json (RFC 9457). Never exposes internals. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(@Inject(LOGGER) private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<CarillonRequest>();
    sendProblem(http.getResponse<FastifyReply>(), request, this.toDomainError(error, request));
  }

  private toDomainError(error: unknown, request: CarillonRequest): DomainError {
    const known = knownError(error, request);
    if (known) return known;
    const fields = {
      request_id: request.id,
      trace_id: traceIdOf(request.traceparent),
      span_id: request.trace?.spanId,
      tenant_id: request.caller?.tenantId,
      route: request.routeOptions?.url,
    };
    this.logger.error({ err: error, ...fields }, 'a request failed');
    return new DomainError('internal', 'Something went wrong on our side. Report the request_id.');
  }
}

export function sendProblem(reply: FastifyReply, request: Pick<CarillonRequest, 'id'>, error: DomainError): void {
  if (error.retryAfterSeconds !== undefined) reply.header('Retry-After', String(Math.ceil(error.retryAfterSeconds)));
  void reply
    .status(error.status)
    // RFC 9111 allows caches to keep a 404 or 410 that says nothing.
    .header('Cache-Control', 'no-store')
    .type('application/problem+json')
    .send(problemOf(error, String(request.id)));
}

export function problemOf(error: DomainError, requestId: string): Record<string, unknown> {
  return {
    type: `${DOCS}#${error.code}`,
    title: errorCatalogue[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.errors && { errors: error.errors }),
  };
}

/** Fastify's own errors, by their code. */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_json',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
};

function knownError(error: unknown, request: CarillonRequest): DomainError | null {
  if (error instanceof DomainError) return error;
  const code = FASTIFY_CODES[(error as { code?: string }).code ?? ''];
  if (code) return new DomainError(code, (error as Error).message);
  const status = error instanceof HttpException ? error.getStatus() : (error as { statusCode?: number }).statusCode;
  if (status === 404) return noSuchRoute(request);
  if (status === 400) return new DomainError('malformed_json', (error as Error).message);
  if (status === 413) return new DomainError('payload_too_large', (error as Error).message);
  if (status === 415) return new DomainError('unsupported_media_type', (error as Error).message);
  return isUnavailable(error) ? unavailableOf(error) : null;
}

export function noSuchRoute({ method, url }: FastifyRequest): DomainError {
  return new DomainError('not_found', `There is no route ${method} ${url.split('?')[0]}.`);
}
