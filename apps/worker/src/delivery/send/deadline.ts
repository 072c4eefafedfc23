/** Aborts after a number of milliseconds, at once for a negative one. AbortSignal.timeout takes whole numbers only. */
export function abortAfter(milliseconds: number): AbortSignal {
  return AbortSignal.timeout(Math.max(0, Math.ceil(milliseconds)));
}
