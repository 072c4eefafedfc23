/**
 * The errors of callers; a filter in apps/api turns them into problem+json. `docs/errors.md` says what a caller can do;
 * a test fails if a code is missing there.
 */
export const errorCatalogue = {
  malformed_json: { status: 400, title: 'Malformed JSON' },
  unauthenticated: { status: 401, title: 'Missing or invalid credentials' },
  forbidden: { status: 403, title: 'Forbidden' },
  not_found: { status: 404, title: 'Not found' },
  conflict: { status: 409, title: 'Conflict with the current state' },
  too_late: { status: 409, title: 'Too late to cancel' },
  idempotency_in_flight: { status: 409, title: 'A request with this idempotency key is in progress' },
  idempotency_unknown: { status: 409, title: 'The outcome of the first request with this idempotency key is unknown' },
  already_replayed: { status: 409, title: 'Already replayed' },
  payload_too_large: { status: 413, title: 'Payload too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  validation_failed: { status: 422, title: 'Validation failed' },
  idempotency_mismatch: { status: 422, title: 'Idempotency key used with a different body' },
  no_address: { status: 422, title: 'The recipient has no address for this channel' },
  unknown_template: { status: 422, title: 'Unknown template' },
  render_error: { status: 422, title: 'Template cannot be rendered' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Internal error' },
  unavailable: { status: 503, title: 'Service unavailable' },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

/**
 * One error in a request. `pointer`: an RFC 6901 pointer into the body, or `?name` for the query. `message` has the
 * value.
 */
export interface FieldError {
  pointer: string;
  code: string;
  message: string;
}

/** An error of the caller. `detail` names the field and the received value; it never exposes internals. */
export class DomainError extends Error {
  readonly errors: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  constructor(
    readonly code: ErrorCode,
    detail: string,
    options: { errors?: FieldError[]; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = 'DomainError';
    this.errors = options.errors;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** The errors of one item of a bulk send or an upload, for the error that a single send would get. */
export function itemErrorsOf({ code, message, errors }: DomainError): FieldError[] {
  const pointer = code === 'idempotency_mismatch' ? '/idempotency_key' : '/';
  return errors ?? [{ pointer, code, message }];
}

export function notFound(what: string, id: string): DomainError {
  return new DomainError('not_found', `There is no ${what} ${JSON.stringify(id)}.`);
}

/** The detail of a single error is that error. */
export function validationFailed(errors: FieldError[]): DomainError {
  // When all errors have one of these codes, it is also the code of the problem: callers need not read `errors`.
  const codes = new Set(errors.map(({ code }) => code));
  const [only] = codes;
  const named =
    codes.size === 1 && (only === 'no_address' || only === 'unknown_template' || only === 'render_error')
      ? only
      : 'validation_failed';
  const [first] = errors;
  const detail =
    first && errors.length === 1 ? `${first.pointer}: ${first.message}` : `The request has ${errors.length} errors.`;
  return new DomainError(named, detail, { errors });
}
