// The spans of one run of a delivery: the claim, the run, its steps and the calls of providers. They are kept until the
// run ends, because a run that fails is exported even if its trace is not sampled.

import { type FinishedSpan, type SpanAttributes, type SpanKind, type SpanSink, spanSink } from './span-sink.js';
import {
  newSpanId,
  ownTraceId,
  readTraceparent,
  type TraceContext,
  traceIdOf,
  traceparentOf,
  writeTraceparent,
} from './trace-context.js';

export interface TracedDelivery {
  readonly tenantId: string;
  readonly deliveryId: string;
  readonly channel: string;
  /** W3C trace context of the request that created it. */
  readonly traceparent: string | null;
}

/** A run has ten spans and one for each address. A push to more devices than this leaves the others out. */
const MAX_SPANS = 40;
const CLAIMED_AT = 'carillon-claimed-at';

interface Claim {
  /** The span that accepted the notification, in this process or another one. */
  parent: TraceContext | null;
  traceId: string;
  spanId: string;
  isSampled: boolean;
  startedAt: number;
}

/** How a run ended. `error`: a code. */
export interface RunEnd {
  attributes: SpanAttributes;
  error: string | undefined;
}

export class DeliveryTrace {
  readonly spanId = newSpanId();
  private readonly startedAt = performance.now();
  private readonly spans: (FinishedSpan & { parentName?: string })[] = [];

  constructor(
    private readonly delivery: TracedDelivery,
    private readonly claim: Claim,
  ) {}

  get traceId(): string {
    return this.claim.traceId;
  }

  /** For a receiver that continues the trace. */
  get traceparent(): string {
    const { traceId, isSampled } = this.claim;
    return writeTraceparent({ traceId, spanId: this.spanId, isSampled });
  }

  /** Notes a span that has ended now. `parentName`: the step that it belongs to; undefined for the run. */
  note(
    name: string,
    startedAt: number,
    {
      kind = 'internal',
      ...more
    }: { kind?: SpanKind; parentName?: string; attributes?: SpanAttributes; error?: string },
  ): void {
    if (this.spans.length >= MAX_SPANS) return;
    const { traceId } = this.claim;
    const ids = { traceId, spanId: newSpanId(), parentId: this.spanId };
    this.spans.push({ name, kind, ...ids, startedAt, endedAt: performance.now(), attributes: {}, ...more });
  }

  /** The claim lasts until the checks of the claim step: the statement, and the way through the transport. */
  end(sink: SpanSink, { attributes, error }: RunEnd): void {
    const { claim, delivery } = this;
    if (!claim.isSampled && error === undefined) return;
    const { traceId } = claim;
    const about = {
      'carillon.tenant_id': delivery.tenantId,
      'carillon.delivery_id': delivery.deliveryId,
      'carillon.channel': delivery.channel,
    };
    const endedAt = performance.now();
    sink.add({
      name: 'claim',
      kind: 'producer',
      traceId,
      spanId: claim.spanId,
      parentId: claim.parent?.spanId,
      startedAt: claim.startedAt,
      endedAt: Math.max(claim.startedAt, this.startedAt),
      attributes: about,
    });
    sink.add({
      name: 'deliver',
      kind: 'consumer',
      traceId,
      spanId: this.spanId,
      parentId: claim.spanId,
      startedAt: this.startedAt,
      endedAt,
      attributes: { ...about, ...attributes },
      error,
    });
    for (const span of this.spans) sink.add(this.withParent(span));
  }

  private withParent({ parentName, ...span }: FinishedSpan & { parentName?: string }): FinishedSpan {
    const parent = parentName && this.spans.find(({ name }) => name === parentName);
    return parent ? { ...span, parentId: parent.spanId } : span;
  }
}

/** By the delivery object, which one claim makes and one run uses. */
const claims = new WeakMap<TracedDelivery, Claim>();
const traces = new WeakMap<TracedDelivery, DeliveryTrace>();

/** Notes that a statement that began at `startedAt` has claimed the deliveries. */
export function noteClaims(deliveries: readonly TracedDelivery[], startedAt: number): void {
  const sink = spanSink();
  if (sink) for (const delivery of deliveries) claims.set(delivery, newClaim(sink, delivery, startedAt));
}

/** The headers that take the trace of a delivery to the worker that sends it. */
export function traceHeaders(delivery: TracedDelivery): Record<string, string> | undefined {
  const claim = claims.get(delivery);
  if (!claim) return delivery.traceparent === null ? undefined : { traceparent: delivery.traceparent };
  const at = Math.round(performance.timeOrigin + claim.startedAt);
  return { traceparent: writeTraceparent(claim), [CLAIMED_AT]: String(at) };
}

/** Continues the trace of the worker that claimed the delivery, from the headers of its message. */
export function continueTrace(
  delivery: TracedDelivery,
  headers: Readonly<Record<string, { toString(): string } | undefined>>,
): void {
  const sink = spanSink();
  const traceparent = traceparentOf(headers['traceparent']?.toString());
  const claimedAt = Number(headers[CLAIMED_AT]?.toString());
  // Without the second header, the span is that of the caller: the worker that claimed makes no traces.
  if (!sink || traceparent === null || !(claimedAt > 0)) return;
  const claim = readTraceparent(traceparent);
  const parent = parentOf(delivery);
  // Clocks of machines differ: never after now.
  const startedAt = Math.min(performance.now(), claimedAt - performance.timeOrigin);
  claims.set(delivery, { ...claim, parent, startedAt });
}

/** Begins the trace of a run. Undefined while traces are off. */
export function beginTrace(delivery: TracedDelivery): DeliveryTrace | undefined {
  const sink = spanSink();
  if (!sink) return undefined;
  const claim = claims.get(delivery) ?? newClaim(sink, delivery, performance.now());
  const trace = new DeliveryTrace(delivery, claim);
  traces.set(delivery, trace);
  return trace;
}

/** The trace of the run that is under way. */
export function traceOf(delivery: TracedDelivery): DeliveryTrace | undefined {
  return spanSink() === undefined ? undefined : traces.get(delivery);
}

/** For a receiver that continues the trace: of the run, or while traces are off, of the request that created it. */
export function onwardTraceparent(delivery: TracedDelivery): string | null {
  return traceOf(delivery)?.traceparent ?? delivery.traceparent;
}

/** Of the request that created the delivery. Its own one without such a request; undefined then if traces are off. */
export function deliveryTraceId(delivery: Pick<TracedDelivery, 'deliveryId' | 'traceparent'>): string | undefined {
  return traceIdOf(delivery.traceparent) ?? (spanSink() && ownTraceId(delivery.deliveryId));
}

/** The fields of every log line about a delivery. */
export function deliveryFields(delivery: TracedDelivery): Record<string, string | undefined> {
  const trace = traceOf(delivery);
  return {
    tenant_id: delivery.tenantId,
    delivery_id: delivery.deliveryId,
    channel: delivery.channel,
    trace_id: trace?.traceId ?? deliveryTraceId(delivery),
    span_id: trace?.spanId,
  };
}

function newClaim(sink: SpanSink, delivery: TracedDelivery, startedAt: number): Claim {
  const parent = parentOf(delivery);
  const traceId = parent?.traceId ?? ownTraceId(delivery.deliveryId);
  return { parent, traceId, spanId: newSpanId(), isSampled: sink.isSampled(traceId, parent), startedAt };
}

function parentOf({ traceparent }: TracedDelivery): TraceContext | null {
  return traceparent === null ? null : readTraceparent(traceparent);
}
