import type { FieldError } from '#domain';
import { DEFAULT_BODY_LIMITS, shapeErrors } from '../http/body-shape.js';
import { fieldErrorsOf } from '../http/request-schema.pipe.js';
import { type BulkItem, bulkItem } from './notification.schema.js';

/** Validates one recipient of a bulk send or an upload. */
export function readItem(given: unknown): { item: BulkItem; errors?: never } | { item?: never; errors: FieldError[] } {
  const shape = shapeErrors(given);
  if (shape.length > 0) return { errors: shape };
  // The limit of a single send: workers load hundreds of notifications at once.
  const bytes = Buffer.byteLength(JSON.stringify(given));
  const { bytes: limit } = DEFAULT_BODY_LIMITS;
  if (bytes > limit) {
    const message = `has ${bytes} bytes of JSON, at most ${limit} are allowed`;
    return { errors: [{ pointer: '/', code: 'too_large', message }] };
  }
  const parsed = bulkItem.safeParse(given);
  return parsed.success ? { item: parsed.data } : { errors: fieldErrorsOf(parsed.error.issues, given) };
}
