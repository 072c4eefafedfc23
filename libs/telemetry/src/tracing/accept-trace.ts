import { type SpanAttributes, type SpanKind, spanSink } from './span-sink.js';
import { newSpanId, newTraceId, readTraceparent, type TraceContext, writeTraceparent } from './trace-context.js';

/** The span of a request that creates notifications. Their deliveries continue its trace. */
export interface AcceptTrace extends TraceContext {
  parentId: string | undefined;
  startedAt: number;
  /** To be stored with the notifications. */
  traceparent: string;
}

/** Begins the span `accept`, as a child of the caller's. Undefined while traces are off. */
export function beginAccept(caller: string | null): AcceptTrace | undefined {
  const sink = spanSink();
  if (!sink) return undefined;
  const parent = caller === null ? null : readTraceparent(caller);
  const traceId = parent?.traceId ?? newTraceId();
  const own = { traceId, spanId: newSpanId(), isSampled: sink.isSampled(traceId, parent) };
  return { ...own, parentId: parent?.spanId, startedAt: performance.now(), traceparent: writeTraceparent(own) };
}

/** A request that failed (`error`: its status or code) is exported even if its trace is not sampled. */
export function endAccept(
  trace: AcceptTrace | undefined,
  { kind, attributes, error }: { kind: SpanKind; attributes: SpanAttributes; error: string | undefined },
): void {
  if (!trace || (!trace.isSampled && error === undefined)) return;
  const { traceId, spanId, parentId, startedAt } = trace;
  spanSink()?.add({
    name: 'accept',
    kind,
    traceId,
    spanId,
    parentId,
    startedAt,
    endedAt: performance.now(),
    attributes,
    error,
  });
}

/** A span `receipt` in the trace of its notification. Nothing for a trace that is not sampled. */
export function noteReceipt(traceparent: string, startedAt: number, attributes: SpanAttributes): void {
  const sink = spanSink();
  const parent = readTraceparent(traceparent);
  if (!sink?.isSampled(parent.traceId, parent)) return;
  sink.add({
    name: 'receipt',
    kind: 'consumer',
    traceId: parent.traceId,
    spanId: newSpanId(),
    parentId: parent.spanId,
    startedAt,
    endedAt: performance.now(),
    attributes,
  });
}
