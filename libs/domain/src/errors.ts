/**
 * The caller's errors: one catalogue, turned into problem+json in one filter. The consequence for the caller stands in
 * `docs/errors.md`; a structural test holds that every code is documented there.
 */
export const errorCatalogue = {
  malformed_json: { status: 400, title: 'The body is not JSON' },
  unauthenticated: { status: 401, title: 'Credentials are missing or wrong' },
  forbidden: { status: 403, title: 'These credentials may not do this' },
  not_found: { status: 404, title: 'There is no such thing' },
  conflict: { status: 409, title: 'It is there already' },
  too_late: { status: 409, title: 'It is too late to cancel' },
  idempotency_in_flight: { status: 409, title: 'The first request with this idempotency key is still running' },
  idempotency_unknown: { status: 409, title: 'The outcome of the first request is unknown' },
  already_replayed: { status: 409, title: 'This dead letter was replayed before' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  validation_failed: { status: 422, title: 'The request has faults' },
  idempotency_mismatch: { status: 422, title: 'This idempotency key was used with another body' },
  no_address: { status: 422, title: 'The recipient has no address for this channel' },
  unknown_template: { status: 422, title: 'There is no such template' },
  render_error: { status: 422, title: 'The template cannot be rendered' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  unavailable: { status: 503, title: 'Service unavailable' },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

/** One fault in a request: where (RFC 6901 pointer into the body, or `?name`), what, and why in words with the value. */
export interface FieldError {
  pointer: string;
  code: string;
  message: string;
}

/** Bad news for the caller. `detail` names the thing and the value received; nothing of our inside. */
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

export function notFound(what: string, id: string): DomainError {
  return new DomainError('not_found', `There is no ${what} ${JSON.stringify(id)}.`);
}
