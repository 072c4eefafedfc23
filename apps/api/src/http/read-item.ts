import type { z } from 'zod';
import type { FieldError } from '#domain';
import { DEFAULT_BODY_LIMITS, shapeErrors } from './body-shape.js';
import { validate } from './request-schema.pipe.js';

/** Validates one item of a bulk request or a line of an upload. */
export function readItem<Item extends z.ZodType>(
  schema: Item,
  given: unknown,
): { item: z.infer<Item>; errors?: never } | { item?: never; errors: FieldError[] } {
  const shape = shapeErrors(given);
  if (shape.length > 0) return { errors: shape };
  // The limit of a single request: workers load hundreds of notifications at once.
  const bytes = Buffer.byteLength(JSON.stringify(given));
  const { bytes: limit } = DEFAULT_BODY_LIMITS;
  if (bytes > limit) {
    const message = `has ${bytes} bytes of JSON, at most ${limit} are allowed`;
    return { errors: [{ pointer: '/', code: 'too_large', message }] };
  }
  const { data, errors } = validate(schema, given);
  return errors ? { errors } : { item: data };
}
