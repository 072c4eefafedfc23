import { type SpanAttributes, type SpanKind, spanSink } from './span-sink.js';
import {
  newSpanId,
  newTraceId,
  ownTraceId,
  readTraceparent,
  type TraceContext,
  writeTraceparent,
} from './trace-context.js';

/** The span of a request, or of a schedule, that creates notifications. Their deliveries continue its trace. */
export interface AcceptTrace extends TraceContext {
  name: 'accept' | 'fire';
  parentId: string | undefined;
  /** Of a schedule: the request that created it. */
  link: TraceContext | undefined;
  startedAt: number;
  /** To be stored with the notifications. */
  traceparent: string;
}

/** Begins the span `accept`, as a child of the caller's. Undefined while traces are off. */
export function beginAccept(caller: string | null): AcceptTrace | undefined {
  const parent = caller === null ? null : readTraceparent(caller);
  return begin('accept', parent);
}

/**
 * Begins the span `fire` of an occurrence of a schedule. Each has a trace of its own, with a link to the request that
 * created the schedule: one trace of a schedule would last for years. Undefined while traces are off.
 */
export function beginFire(createdBy: string | null): AcceptTrace | undefined {
  return begin('fire', null, createdBy === null ? undefined : readTraceparent(createdBy));
}

function begin(name: AcceptTrace['name'], parent: TraceContext | null, link?: TraceContext): AcceptTrace | undefined {
  const sink = spanSink();
  if (!sink) return undefined;
  const traceId = parent?.traceId ?? newTraceId();
  const own = { traceId, spanId: newSpanId(), isSampled: sink.isSampled(traceId, parent) };
  const traceparent = writeTraceparent(own);
  return { ...own, name, link, parentId: parent?.spanId, startedAt: performance.now(), traceparent };
}

/** One that failed (`error`: its status or code) is exported even if its trace is not sampled. */
export function endAccept(
  trace: AcceptTrace | undefined,
  { kind, attributes, error }: { kind: SpanKind; attributes: SpanAttributes; error: string | undefined },
): void {
  if (!trace || (!trace.isSampled && error === undefined)) return;
  const { name, traceId, spanId, parentId, startedAt, link } = trace;
  spanSink()?.add({
    name,
    kind,
    traceId,
    spanId,
    parentId,
    startedAt,
    endedAt: performance.now(),
    attributes,
    link,
    error,
  });
}

/** A span `receipt` in the trace of the delivery. Nothing if that is not sampled. */
export function noteReceipt(
  { deliveryId, traceparent }: { deliveryId: string; traceparent: string | null },
  startedAt: number,
  attributes: SpanAttributes,
): void {
  const parent = traceparent === null ? null : readTraceparent(traceparent);
  const traceId = parent?.traceId ?? ownTraceId(deliveryId);
  const sink = spanSink();
  if (!sink?.isSampled(traceId, parent)) return;
  const [spanId, parentId, endedAt] = [newSpanId(), parent?.spanId, performance.now()];
  sink.add({ name: 'receipt', kind: 'consumer', traceId, spanId, parentId, startedAt, endedAt, attributes });
}
