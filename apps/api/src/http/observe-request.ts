import type { FastifyReply } from 'fastify';
import { beginAccept, endAccept, instruments, type Logger, traceIdOf, traceparentOf } from '#telemetry';
import type { CarillonRequest } from '../access/access.js';
import { routeConfigOf } from './route-config.js';

/** Reads the caller's trace context. A request that creates notifications, or a schedule of them, gets a span. */
export function beginRequestTrace(request: CarillonRequest): void {
  const given = traceparentOf(request.headers.traceparent);
  request.trace = routeConfigOf(request).accepts ? beginAccept(given) : undefined;
  request.traceparent = request.trace?.traceparent ?? given;
}

/** Exports spans of authenticated requests only, so that callers without credentials cannot add any. */
function endTrace({ trace, caller, id, method }: CarillonRequest, reply: FastifyReply, route: string): void {
  if (!trace || !caller) return;
  const { statusCode } = reply;
  const [, kind, created] =
    /\/(notifications|schedules)\/([^/]+)$/.exec(String(reply.getHeader('location') ?? '')) ?? [];
  const attributes = {
    'http.request.method': method,
    'http.route': route,
    'http.response.status_code': statusCode,
    'carillon.request_id': id,
    'carillon.tenant_id': caller.tenantId,
    'carillon.notification_id': kind === 'notifications' ? created : undefined,
    'carillon.schedule_id': kind === 'schedules' ? created : undefined,
  };
  endAccept(trace, { kind: 'server', attributes, error: statusCode >= 500 ? String(statusCode) : undefined });
}

/** One metric and one log line per request, and the end of its trace. */
export function observe(request: CarillonRequest, reply: FastifyReply, logger: Logger): void {
  const { caller, traceparent, trace } = request;
  // The pattern instead of the path keeps ids and tokens out of logs and labels.
  const route = request.routeOptions.url ?? 'unknown';
  endTrace(request, reply, route);
  const seconds = reply.elapsedTime / 1_000;
  instruments().requests.record(seconds, { method: request.method, route, status: reply.statusCode });
  const line = {
    request_id: request.id,
    trace_id: traceIdOf(traceparent),
    span_id: trace?.spanId,
    tenant_id: caller?.tenantId,
    key_id: caller?.keyId ?? undefined,
    session_id: request.consoleSession?.known.id,
    method: request.method,
    route,
    status: reply.statusCode,
    duration_ms: Math.round(reply.elapsedTime),
  };
  if (reply.statusCode >= 500) logger.error(line, 'request');
  else if (reply.statusCode >= 400) logger.info(line, 'request');
  else logger.debug(line, 'request');
}
