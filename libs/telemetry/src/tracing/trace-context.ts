// W3C Trace Context, version 00: https://www.w3.org/TR/trace-context/

import { randomBytes } from 'node:crypto';

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const SAMPLED = 1;

export interface TraceContext {
  traceId: string;
  spanId: string;
  isSampled: boolean;
}

/** The header `traceparent` if it is valid, or else null. */
export function traceparentOf(header: unknown): string | null {
  return typeof header === 'string' && TRACEPARENT.test(header) ? header : null;
}

/** The trace id within a valid traceparent: 00-<32 hexadecimal digits>-… */
export function traceIdOf(traceparent: string | null | undefined): string | undefined {
  return traceparent?.slice(3, 35);
}

/** The parts of a traceparent that {@link traceparentOf} has checked. */
export function readTraceparent(traceparent: string): TraceContext {
  const [, traceId, spanId, flags] = traceparent.split('-') as [string, string, string, string];
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export function writeTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

export function newTraceId(): string {
  return randomBytes(16).toString('hex');
}

export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}

/** Without a caller's trace, all spans of a delivery have the same trace id, and it is not stored. */
export function ownTraceId(deliveryId: string): string {
  return deliveryId.replaceAll('-', '');
}
