// Schemas that many routes use.

import { z } from 'zod';
import { wholeNumber } from '#domain';

export const id = z.uuid({ error: 'must be a UUID' }).meta({ id: 'Id', description: 'A UUIDv7 in canonical text' });

/** URL clients remove these segments from a path, so a resource with such a key could not be reached. */
export const NO_DOT_SEGMENT = [(key: string) => key !== '.' && key !== '..', 'must not be . or ..'] as const;

/** Printable, so that it can be in a header, a log and a URL. */
export const recipientId = z
  .string()
  .min(1)
  .max(255)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: rejects them; JSON Schema does not support \p{Cc}
  .regex(/^[^\u0000-\u001f\u007f-\u009f]+$/, 'must not contain control characters')
  .refine(...NO_DOT_SEGMENT)
  .meta({
    id: 'RecipientId',
    description: "The tenant's own id for a person, 1 to 255 printable characters",
    examples: ['user-123'],
  });

export const categoryKey = z
  .string()
  .min(1)
  .max(255)
  .refine(...NO_DOT_SEGMENT)
  .meta({ id: 'CategoryKey', examples: ['news'] });

/** Printable, as recipient ids are. May contain slashes, percent-encoded in a path. */
export const topicKey = z
  .string()
  .min(1)
  .max(255)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: rejects them; JSON Schema does not support \p{Cc}
  .regex(/^[^\u0000-\u001f\u007f-\u009f]+$/, 'must not contain control characters')
  .refine(...NO_DOT_SEGMENT)
  .meta({ id: 'TopicKey', examples: ['orders/eu'] });

export const time = z.iso
  .datetime({ offset: true, error: 'must be an RFC 3339 time like 2026-11-21T09:30:00Z' })
  .meta({ description: 'RFC 3339; responses are in UTC with milliseconds' });

export const jsonObject = z.record(z.string(), z.unknown());

const limit = wholeNumber(1, 200).default(50);
const cursor = z.string().max(500).optional();

export const pageQuery = z.strictObject({ limit, cursor });

/** The query of a list with filters. */
export function filteredPage<Shape extends z.ZodRawShape>(filters: Shape) {
  return z.strictObject({ limit, cursor, ...filters });
}

/**
 * An array whose items the route validates one by one with `item`, so that one invalid item does not reject the others.
 * The OpenAPI document has the schema of the item.
 */
export function checkedItems(item: z.ZodType, most: number) {
  const { $schema: _schema, $defs: _defs, ...shown } = z.toJSONSchema(item, { io: 'input', reused: 'inline' });
  const named = JSON.stringify(shown).replaceAll('#/$defs/', '#/components/schemas/');
  return z
    .array(jsonObject.meta(JSON.parse(named) as Record<string, unknown>))
    .min(1)
    .max(most);
}

export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** `{"data": [...], "next_cursor": …}` */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}

export function listView<Row, View>(
  page: { rows: Row[]; nextCursor: string | null },
  view: (row: Row) => View,
): { data: View[]; next_cursor: string | null } {
  return { data: page.rows.map(view), next_cursor: page.nextCursor };
}

export const idParam = z.object({ id });

export const fieldError = z.object({ pointer: z.string(), code: z.string(), message: z.string() });

/** An item of a bulk request that was not accepted. */
export const rejectedItem = z.object({ index: z.int(), code: z.string(), errors: z.array(fieldError) });

export const problem = z
  .object({
    type: z.url(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    request_id: z.string(),
    errors: z.array(fieldError).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457; docs/errors.md explains every code' });
