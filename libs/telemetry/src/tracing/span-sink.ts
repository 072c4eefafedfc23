// Spans are collected as plain objects and given to a sink when they have ended. Without a sink no object is made.

import type { TraceContext } from './trace-context.js';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
export type SpanAttributes = Record<string, string | number | boolean | null | undefined>;

/** Attributes are ids, codes, counts and names of routes; never a payload, an address, a secret or rendered content. */
export interface FinishedSpan {
  name: string;
  kind: SpanKind;
  traceId: string;
  spanId: string;
  /** Undefined for the first span of a trace. */
  parentId: string | undefined;
  /** Milliseconds of this process's monotonic clock (`performance.now()`). */
  startedAt: number;
  endedAt: number;
  attributes: SpanAttributes;
  /** A span of another trace that led to this one. */
  link?: Pick<TraceContext, 'traceId' | 'spanId'> | undefined;
  /** The code of the error. Undefined for a span that succeeded. */
  error?: string | undefined;
}

export interface SpanSink {
  /** Whether a trace is exported, decided at its begin. `parent`: null for the first span of a trace. */
  isSampled(traceId: string, parent: TraceContext | null): boolean;
  add(span: FinishedSpan): void;
}

let current: SpanSink | undefined;

/** Undefined: traces are off. */
export function spanSink(): SpanSink | undefined {
  return current;
}

/** Turns traces on for this process, or off. */
export function useSpanSink(sink: SpanSink | undefined): void {
  current = sink;
}
