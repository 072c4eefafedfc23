// `fetch` with retries and time limits.

import ky, { isHTTPError, isNetworkError, isTimeoutError, NetworkError, type ShouldRetryState } from 'ky';
import { CarillonError, errorOfAnswer, isProblem, RETRIED_STATUSES, retryAfterSecondsOf } from './carillon-error.js';
import { refuseRedirect } from './redirects.js';

export interface RetrySettings {
  /** For one attempt, until the whole answer is there. Default: 10,000. */
  timeoutMs?: number;
  /** For all attempts of a call together, with the waits between them. Default: 60,000. */
  deadlineMs?: number;
  /** Attempts after the first one. Default: 8; 0 turns retries off. */
  maxRetries?: number;
  /** Replaces the global `fetch`. */
  fetch?: Fetch;
}

export type Fetch = (request: Request) => Promise<Response>;

export const IDEMPOTENCY_KEY = 'Idempotency-Key';

const METHODS = ['get', 'put', 'patch', 'delete', 'post'] as const;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 8_000;
/** Bodies of this type may be long: no time limits, one attempt, and the caller reads an answer while it arrives. */
const STREAMED = 'application/x-ndjson';

/** Throws `CarillonError` for every answer that is not a success. */
export function retryingFetch(settings: RetrySettings = {}): Fetch {
  const { timeoutMs = 10_000, deadlineMs = 60_000, maxRetries = 8 } = settings;
  const send = wholeAnswer(settings.fetch ?? ((request) => globalThis.fetch(request)));
  return async (request) => {
    const isUpload = isStreamed(request.headers);
    const deadline = Date.now() + deadlineMs;
    let lastFailure: unknown;
    const shouldRetry = ({ error }: ShouldRetryState): boolean | undefined => {
      lastFailure = error;
      return retryOf(request, error, deadline - Date.now());
    };
    try {
      return await ky(request, {
        fetch: (attempt) => send(attempt as Request),
        redirect: 'manual',
        timeout: isUpload ? false : timeoutMs,
        totalTimeout: isUpload ? false : deadlineMs,
        retry: {
          limit: isUpload ? 0 : maxRetries,
          methods: [...METHODS],
          statusCodes: [...RETRIED_STATUSES],
          afterStatusCodes: [...RETRIED_STATUSES],
          delay: (attempt) => FIRST_DELAY_MS * 2 ** (attempt - 1),
          backoffLimit: MAX_DELAY_MS,
          jitter: true,
          retryOnTimeout: true,
          shouldRetry,
        },
      });
    } catch (error) {
      throw translated(error, lastFailure);
    }
  };
}

/** Returns true to repeat the request, false not to, and undefined to let `ky` decide by the lists above. */
function retryOf(request: Request, error: unknown, leftMs: number): boolean | undefined {
  if (isHTTPError(error)) {
    if ((retryAfterSecondsOf(error.response) ?? 0) * 1_000 > leftMs) return false;
    // The server refuses with 429 before it does anything.
    if (error.response.status === 429) return undefined;
  }
  if (!isRepeatable(request)) return false;
  return isHTTPError(error) && isProblem(error.data) && error.data.code === 'idempotency_in_flight' ? true : undefined;
}

/** A POST without a key would take effect once for each attempt. */
function isRepeatable({ method, headers }: Request): boolean {
  return method !== 'POST' || headers.has(IDEMPOTENCY_KEY);
}

/** Reads the body too, so that an answer that breaks off is a failed attempt and is repeated. */
function wholeAnswer(send: Fetch): Fetch {
  return async (request) => {
    try {
      const response = await send(request);
      refuseRedirect(response, request.url);
      if (isStreamed(response.headers)) return response;
      const body = await response.arrayBuffer();
      return new Response(body.byteLength === 0 ? null : body, response);
    } catch (error) {
      if (request.signal.aborted || error instanceof CarillonError) throw error;
      // Runtimes differ in the errors of failed connections.
      throw new NetworkError(request, { cause: error instanceof Error ? error : new Error(String(error)) });
    }
  };
}

function isStreamed(headers: Headers): boolean {
  return headers.get('content-type')?.startsWith(STREAMED) ?? false;
}

function translated(error: unknown, lastFailure: unknown): unknown {
  if (isHTTPError(error)) return errorOfAnswer(error.response, error.data, error);
  if (isTimeoutError(error)) {
    return new CarillonError({ code: 'timeout', detail: error.message, cause: lastFailure ?? error });
  }
  if (isNetworkError(error)) {
    return new CarillonError({ code: 'network_error', detail: error.message, cause: error.cause });
  }
  // A redirect, or the reason of the caller's signal.
  return error;
}
