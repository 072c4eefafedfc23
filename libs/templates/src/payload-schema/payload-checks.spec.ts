import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { longestHold } from '#testing';
import { TemplateRenderer } from '../index.ts';
import { readPattern } from './safe-pattern.ts';

const renderer = new TemplateRenderer({ threads: 1 });
const { payloads } = renderer;
afterAll(() => renderer.close());

const check = (schema: object, payload: object) => payloads.faults('tenant', [JSON.stringify(schema)], payload);
const faultOf = (schema: object) => payloads.schemaFaults(schema)[0];

const ORDER = {
  type: 'object',
  required: ['order'],
  properties: {
    order: {
      type: 'object',
      required: ['id', 'total'],
      additionalProperties: false,
      properties: {
        id: { type: 'string', pattern: '^[A-Z]{2}-\\d{4,8}$' },
        total: { type: 'number', minimum: 0 },
        currency: { enum: ['EUR', 'USD'] },
        items: { type: 'array', maxItems: 3, items: { $ref: '#/$defs/item' } },
        email: { format: 'email', type: 'string' },
      },
    },
  },
  $defs: { item: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } }, required: ['name'] } },
};

describe('a payload', () => {
  it('has one error for each fault, with its pointer and the value', async () => {
    const order = { id: 'x1', total: '12', currency: 'GBP', items: [{ name: 'longer' }, {}], email: 'a b@c', more: 1 };
    expect(await check(ORDER, { order })).toEqual([
      {
        pointer: '/order/id',
        code: 'payload_schema',
        message: 'must match the pattern "^[A-Z]{2}-\\\\d{4,8}$", got "x1"',
      },
      { pointer: '/order/total', code: 'payload_schema', message: 'must be number, got "12"' },
      { pointer: '/order/currency', code: 'payload_schema', message: 'must be one of "EUR", "USD", got "GBP"' },
      {
        pointer: '/order/items/0/name',
        code: 'payload_schema',
        message: 'must have at most 5 characters, got "longer"',
      },
      { pointer: '/order/items/1/name', code: 'required', message: 'is required' },
      { pointer: '/order/email', code: 'payload_schema', message: 'must have the format email, got "a b@c"' },
      { pointer: '/order/more', code: 'unknown_field', message: 'there is no field "more"' },
    ]);
    expect(await check(ORDER, {})).toEqual([{ pointer: '/order', code: 'required', message: 'is required' }]);
    expect(await check(ORDER, { order: { id: 'AB-1234', total: 1 } })).toEqual([]);
  });

  it('has one error for alternatives that all fail', async () => {
    const schema = { properties: { a: { anyOf: [{ type: 'string' }, { type: 'object', required: ['x', 'y'] }] } } };
    expect(await check(schema, { a: 1 })).toEqual([
      { pointer: '/a', code: 'payload_schema', message: 'must match one of the alternatives, got 1' },
    ]);
    const named = { propertyNames: { maxLength: 2 } };
    expect(await check(named, { abc: 1 })).toEqual([
      { pointer: '', code: 'payload_schema', message: 'must not have the name "abc"' },
    ]);
    const branch = JSON.parse('{"if": {"required": ["a"]}, "then": {"required": ["b"]}}') as object;
    expect(await check(branch, { a: 1 })).toEqual([{ pointer: '/b', code: 'required', message: 'is required' }]);
  });

  it('must match every schema, with each fault once', async () => {
    const schemas = [{ required: ['a'] }, { required: ['a', 'b'] }].map((schema) => JSON.stringify(schema));
    expect(await payloads.faults('tenant', schemas, { a: 1, b: 2 })).toEqual([]);
    expect(await payloads.faults('tenant', schemas, {})).toEqual([
      { pointer: '/a', code: 'required', message: 'is required' },
      { pointer: '/b', code: 'required', message: 'is required' },
    ]);
  });

  it('sees own properties only', async () => {
    const names = ['toString', 'constructor', 'hasOwnProperty'];
    const faults = await check({ required: names }, {});
    expect(faults.map(({ pointer }) => pointer)).toEqual(names.map((name) => `/${name}`));
  });
});

describe('a schema', () => {
  it.each([
    [{ type: 'text' }, '/type', 'must be one of string'],
    [{ properties: { a: { minLength: -1 } } }, '/properties/a/minLength', 'integer of 0 or more, got -1'],
    [{ properties: { a: { maxlength: 1 } } }, '/properties/a/maxlength', 'keyword "maxlength" is not supported'],
    [{ uniqueItems: true }, '/uniqueItems', 'not supported'],
    [{ patternProperties: {} }, '/patternProperties', 'not supported'],
    [{ $ref: 'https://example.com/schema.json' }, '/$ref', 'only definitions of the same schema'],
    [{ $ref: '#' }, '/$ref', 'only definitions of the same schema'],
    [{ $ref: '#/$defs/none' }, '/$ref', 'names no definition'],
    [{ $ref: '#/$defs/a', $defs: { a: { items: { $ref: '#/$defs/a' } } } }, '/$ref/items/$ref', 'refers to itself'],
    [{ $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema', '2020-12'],
    [{ properties: { a: { pattern: '(a+)+$' } } }, '/properties/a/pattern', 'not supported'],
    [{ properties: { a: { format: 'regex' } } }, '/properties/a/format', 'must be one of date'],
    [{ enum: [{}] }, '/enum', 'list of texts'],
    [{ properties: JSON.parse('{"__proto__":{}}') }, '/properties', '__proto__'],
    [{ description: 'x'.repeat(17_000) }, '', 'bytes of JSON, at most 16384'],
    [{ required: Array.from({ length: 1_100 }, (_, n) => `a${n}`) }, '', 'more than 1000 keywords'],
  ])('is refused, %#', (schema, pointer, message) => {
    expect(faultOf(schema)).toMatchObject({ pointer, message: expect.stringContaining(message) });
  });

  it('is refused when its references grow exponentially', async () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 9 }, (_, n) => {
        const next = { $ref: `#/$defs/d${n + 1}` };
        return [`d${n}`, n === 8 ? true : { properties: { a: next, b: next, c: next } }];
      }),
    );
    const ms = await longestHold(async () => {
      const messages = payloads.schemaFaults({ $ref: '#/$defs/d0', $defs }).map(({ message }) => message);
      expect(messages.join()).toContain('more than 1000 keywords');
    });
    expect(ms).toBeLessThan(20);
  });
});

const name = fc.constantFrom('a', 'b', 'c', 'toString');
const text = fc.constantFrom('', 'x', 'abc', 'AB-12', '2026-11-21', 'a@example.com', '👍'.repeat(3));
const scalar = fc.oneof(
  text,
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0.5, 1e9, -2.25),
  fc.boolean(),
  fc.constant(null),
);
const types = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null', ['string', 'null'], 'object'];
const keywords = (schema: fc.Arbitrary<unknown>): fc.Arbitrary<[string, unknown]>[] => {
  const list = fc.array(schema, { minLength: 1, maxLength: 3 });
  const bound = fc.integer({ min: -3, max: 3 });
  const values: Record<string, fc.Arbitrary<unknown>> = {
    type: fc.constantFrom(...types),
    required: fc.uniqueArray(name, { maxLength: 2 }),
    properties: fc.dictionary(name, schema, { maxKeys: 3 }),
    additionalProperties: schema,
    propertyNames: fc.constantFrom({ maxLength: 1 }, { pattern: '^[a-c]$' }),
    items: schema,
    prefixItems: list,
    maxItems: fc.nat(3),
    minItems: fc.nat(3),
    minProperties: fc.nat(3),
    maxProperties: fc.nat(3),
    minLength: fc.nat(3),
    maxLength: fc.nat(3),
    pattern: fc.constantFrom('^[A-Z]{2}-\\d+$', 'b', '^a?b*c{1,2}', '^.$'),
    minimum: bound,
    maximum: bound,
    exclusiveMinimum: bound,
    exclusiveMaximum: bound,
    multipleOf: fc.constantFrom(1, 2, 0.5),
    enum: fc.array(scalar, { minLength: 1, maxLength: 3 }),
    const: scalar,
    anyOf: list,
    oneOf: list,
    allOf: list,
    not: schema,
    if: schema,
    else: schema,
  };
  return [...Object.entries(values), ['then', schema] as const].map(([keyword, value]) =>
    value.map((given): [string, unknown] => [keyword, given]),
  );
};
const { schema: anySchema, value: anyValue } = fc.letrec((again) => ({
  schema: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    { weight: 1, arbitrary: fc.boolean() },
    {
      weight: 9,
      arbitrary: fc
        .array(fc.oneof(...keywords(again('schema'))), { maxLength: 3 })
        .map((list) => Object.fromEntries(list)),
    },
  ),
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar,
    fc.dictionary(name, again('value'), { maxKeys: 3 }),
    fc.array(again('value'), { maxLength: 4 }),
  ),
}));
const record = fc.dictionary(name, anyValue, { maxKeys: 4 });
const objectSchema = anySchema.filter((schema) => typeof schema === 'object') as fc.Arbitrary<object>;

it('accepts what Ajv accepts', async () => {
  const ajv = new Ajv2020({ strict: false, logger: false, ownProperties: true, validateSchema: false });
  const seen = { true: 0, false: 0 };
  await fc.assert(
    fc.asyncProperty(objectSchema, record, async (schema, payload) => {
      const plain = JSON.parse(JSON.stringify({ schema, payload })) as { schema: object; payload: object };
      fc.pre(payloads.schemaFaults(plain.schema).length === 0);
      const wanted = ajv.validate(plain.schema, plain.payload);
      seen[`${wanted}`] += 1;
      expect((await check(plain.schema, plain.payload)).length === 0).toBe(wanted);
    }),
    { numRuns: 400, interruptAfterTimeLimit: 12_000 },
  );
  expect(Math.min(seen.true, seen.false)).toBeGreaterThan(40);
});

describe('a pattern', () => {
  it('matches as RegExp does', () => {
    const atom = fc.constantFrom('a', 'b', '.', '\\d', '\\w', '[ab]', '[^a]', '[a-c1-3]', '\\.', '-', '\\s');
    const quantifier = fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '{2,}', '{0,1}');
    const pattern = fc
      .tuple(fc.boolean(), fc.array(fc.tuple(atom, quantifier), { maxLength: 5 }), fc.boolean())
      .map(([start, parts, end]) => `${start ? '^' : ''}${parts.map((one) => one.join('')).join('')}${end ? '$' : ''}`);
    fc.assert(
      fc.property(
        pattern,
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', '.', '-', ' ', '👍'), maxLength: 12 }),
        (source, value) => {
          const read = readPattern(source);
          if (typeof read === 'string') throw new Error(read);
          expect(read.test(value)).toBe(new RegExp(source, 'u').test(value));
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it.each(['(a)', 'a|b', '(?=a)', '\\1', 'a{3,1}', '[z-a]', 'a{2000}', 'a**', '\\bx', 'x'.repeat(201), '^a$b', '\\'])(
    'is refused, %#',
    (source) => {
      expect(typeof readPattern(source)).toBe('string');
    },
  );

  it('takes time in proportion to the text', async () => {
    const read = readPattern(`^${'a*'.repeat(99)}$`);
    if (typeof read === 'string') throw new Error(read);
    const ms = await longestHold(async () => {
      expect(read.test(`${'a'.repeat(999)}b`)).toBe(false);
    });
    expect(ms).toBeLessThan(20);
  });
});

describe('no schema and no payload block the event loop', () => {
  const many = (count: number, of: (n: number) => unknown) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, of(n)]));
  // Some 100 kB: so many values that a check of all on the event loop takes too long.
  const wrong = many(9_000, () => 'x');
  const deep = (levels: number): object =>
    levels === 0 ? { type: 'string' } : { anyOf: Array(2).fill(deep(levels - 1)) };
  it.each([
    ['every value against many alternatives', { additionalProperties: { anyOf: seventy({ type: 'number' }) } }, wrong],
    ['nested alternatives', { additionalProperties: deep(6) }, many(9_000, () => 1)],
    [
      'many patterns',
      { additionalProperties: { allOf: Array(9).fill({ pattern: `^${'[a-z]*'.repeat(9)}$` }) } },
      many(200, () => 'a'.repeat(999)),
    ],
    [
      'long texts',
      { additionalProperties: { allOf: Array(140).fill({ minLength: 1e6 }) } },
      many(10, () => '👍'.repeat(10_000)),
    ],
    ['names', { propertyNames: { anyOf: seventy({ maxLength: 1 }) } }, wrong],
    [
      'many names that are missing',
      { additionalProperties: { required: Array.from({ length: 140 }, (_, n) => `x${n}`) } },
      many(9_000, () => ({})),
    ],
    [
      'a list of 9,000',
      { properties: { l: { items: { allOf: Array(140).fill({ type: 'string' }) } } } },
      { l: Array(9_000).fill(1) },
    ],
  ])('%s', async (_, schema, payload) => {
    expect(payloads.schemaFaults(schema)).toEqual([]);
    const ms = await longestHold(async () => {
      expect((await check(schema, payload)).length).toBeGreaterThan(0);
    });
    expect(ms).toBeLessThan(20);
  });

  function seventy(schema: object): object[] {
    return Array<object>(70).fill(schema);
  }

  it('of any form', async () => {
    await fc.assert(
      fc.asyncProperty(objectSchema, record, fc.constantFrom(1, 200, 3_000), async (schema, payload, times) => {
        const large = many(times, (n) => ({ ...payload, n }));
        const wide = { additionalProperties: { allOf: Array(60).fill(schema) } };
        if (payloads.schemaFaults(wide).length > 0) return;
        const ms = await longestHold(async () => {
          await check(wide, large);
        });
        expect(ms).toBeLessThan(20);
      }),
      { numRuns: 100, interruptAfterTimeLimit: 15_000 },
    );
  });
});
