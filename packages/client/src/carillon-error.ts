import type { Problem } from './generated/types.gen.js';

export interface FieldError {
  /** A JSON pointer into the body, or the name of a parameter or header. */
  pointer: string;
  code: string;
  message: string;
}

/** The codes of errors without an answer of Carillon. docs/errors.md lists all other codes. */
export type LocalCode =
  /** No connection, or it broke. The last attempt may or may not have taken effect. */
  | 'network_error'
  /** No answer within the time limit. The last attempt may or may not have taken effect. */
  | 'timeout'
  /** An answer that is not from Carillon, such as the page of a proxy. */
  | 'unexpected_answer';

interface ErrorFields {
  code: string;
  detail: string;
  status?: number | undefined;
  errors?: readonly FieldError[] | undefined;
  requestId?: string | undefined;
  retryAfterSeconds?: number | undefined;
  cause?: unknown;
}

/** Calls throw this error. A call whose `signal` is aborted throws the reason of the signal instead. */
export class CarillonError extends Error {
  override readonly name = 'CarillonError';
  /** A code of docs/errors.md, or a {@link LocalCode}. */
  readonly code: string;
  readonly detail: string;
  /** The HTTP status; undefined without an answer. */
  readonly status: number | undefined;
  /** All faults of the request, for `validation_failed`. */
  readonly errors: readonly FieldError[];
  /** Finds the request in Carillon's logs. */
  readonly requestId: string | undefined;
  /** After how many seconds the same request may succeed. */
  readonly retryAfterSeconds: number | undefined;

  constructor({ code, detail, status, errors = [], requestId, retryAfterSeconds, cause }: ErrorFields) {
    // The detail of a single error is the error itself.
    const faults = errors
      .filter(({ message }) => !detail.includes(message))
      .map(({ pointer, message }) => `${pointer}: ${message}`)
      .join('; ');
    super([`${code}: ${detail}`, faults, requestId && `(request ${requestId})`].filter(Boolean).join(' '), { cause });
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.errors = errors;
    this.requestId = requestId;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Returns the error of an answer that is not a success. `data` is its body, parsed if it is JSON. */
export function errorOfAnswer(response: Response, data: unknown, cause?: unknown): CarillonError {
  const { status } = response;
  const fields = { status, retryAfterSeconds: retryAfterSecondsOf(response), cause };
  if (isProblem(data)) {
    const { code, detail, errors, request_id: requestId } = data;
    return new CarillonError({ ...fields, code, detail, errors, requestId });
  }
  return new CarillonError({
    ...fields,
    code: 'unexpected_answer',
    detail: `status ${status} ${typeof data === 'string' ? data.slice(0, 200) : ''}`.trim(),
    requestId: response.headers.get('x-request-id') ?? undefined,
  });
}

/** The seconds of Retry-After, or undefined. Carillon sends no dates. */
export function retryAfterSecondsOf(response: Response): number | undefined {
  const seconds = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  return Number.isNaN(seconds) ? undefined : seconds;
}

export function isProblem(data: unknown): data is Problem {
  return typeof data === 'object' && data !== null && 'code' in data && 'detail' in data;
}

/** The states of a server that may answer the same request later, and of proxies in front of it. */
export const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);
