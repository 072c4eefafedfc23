import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { validationMessage, wholeNumber } from './validation-message.js';

function messagesOf(schema: z.ZodType, value: unknown): string[] | undefined {
  return schema.safeParse(value, { error: validationMessage }).error?.issues.map(({ message }) => message);
}

describe('the messages of validation errors', () => {
  it.each<[z.ZodType, unknown, string]>([
    [z.string(), 1, 'must be a string'],
    [z.string(), null, 'must be a string'],
    [z.number(), 'x', 'must be a number'],
    [z.int(), 1.5, 'must be a whole number'],
    [z.boolean(), 'x', 'must be true or false'],
    [z.array(z.string()), {}, 'must be an array'],
    [z.strictObject({}), [], 'must be an object'],
    [z.record(z.string(), z.string()), 'x', 'must be an object'],
    [z.string(), undefined, 'is required'],
    [z.enum(['a', 'b']), undefined, 'is required'],
    [z.enum(['a', 'b']), 'c', 'must be one of a, b'],
    [z.literal('a'), 'c', 'must be "a"'],
    [z.string().min(1), '', 'must not be empty'],
    [z.string().min(2), 'x', 'must have at least 2 characters'],
    [z.string().max(1), 'xx', 'must have at most 1 character'],
    [z.string().length(3), 'x', 'must have exactly 3 characters'],
    [z.array(z.string()).min(1), [], 'must not be empty'],
    [z.array(z.string()).max(1), ['a', 'b'], 'must have at most 1 item'],
    [z.number().min(1), 0, 'must be at least 1'],
    [z.number().gt(1), 1, 'must be more than 1'],
    [z.number().max(10), 11, 'must be at most 10'],
    [z.number().lt(10), 10, 'must be less than 10'],
    [z.number().multipleOf(5), 7, 'must be a multiple of 5'],
    [z.strictObject({}), { x: 1 }, 'there is no field "x"'],
    [z.record(z.string().max(2), z.string()), { long: 'x' }, 'the name must have at most 2 characters'],
    [z.partialRecord(z.enum(['a', 'b']), z.string()), { c: 'x' }, 'there is no field "c"'],
    [z.url(), 'x', 'must be a URL'],
    [z.string().regex(/^x$/), 'y', 'must match the pattern /^x$/'],
    [z.ipv4(), 'y', 'must be of the format ipv4'],
    [z.union([z.string(), z.number()]), true, 'must match one of the alternatives'],
    [z.string('its own'), 1, 'its own'],
  ])('name what is expected: case %#', (schema, value, message) => {
    expect(messagesOf(schema, value)).toEqual([message]);
  });

  it.each(['0', '201', 'x', '1.5', ''])('name the whole range of a number in a query: %j', (value) => {
    const found = messagesOf(wholeNumber(1, 200), value);
    expect(new Set(found)).toEqual(new Set(['must be a whole number from 1 to 200']));
  });
});
