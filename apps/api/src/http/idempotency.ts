import { hash } from 'node:crypto';
import { DomainError } from '#domain';
import type { CarillonRequest } from './access.js';

/** The Idempotency-Key header, or null. Throws `validation_failed` when it is not 1 to 255 printable characters. */
export function idempotencyKeyOf(request: CarillonRequest): string | null {
  const header = request.headers['idempotency-key'];
  return header === undefined ? null : checkIdempotencyKey(header);
}

/** The key, wherever it came from. Throws `validation_failed` when it is not 1 to 255 printable characters. */
export function checkIdempotencyKey(key: unknown): string {
  if (typeof key === 'string' && /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new DomainError('validation_failed', 'The request has 1 fault.', {
    errors: [{ pointer: 'Idempotency-Key', code: 'invalid', message: 'must be 1 to 255 printable ASCII characters' }],
  });
}

/**
 * What tells two bodies apart: SHA-256, hexadecimal, over the route and the body with its keys in order, so that the order
 * in which a client happens to write them does not matter.
 */
export function bodyHashOf(route: string, body: unknown): string {
  return hash('sha256', `${route}\n${canonical(body)}`, 'hex');
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const object = value as Record<string, unknown>;
    return `{${Object.keys(object)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonical(object[key])}`)
      .join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
