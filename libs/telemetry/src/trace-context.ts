/** The header `traceparent` if it is valid (W3C Trace Context, version 00), or else null. */
export function traceparentOf(header: unknown): string | null {
  return typeof header === 'string' && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(header) ? header : null;
}

/** The trace id within a valid traceparent: 00-<32 hexadecimal digits>-… */
export function traceIdOf(traceparent: string | null | undefined): string | undefined {
  return traceparent?.slice(3, 35);
}
