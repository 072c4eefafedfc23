import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_ATTRIBUTES_BYTES } from '#domain';
import { mergePatch } from '../../merge-patch.js';
import { MergedAttributes } from './merged-attributes.js';

const key = fc.constantFrom('a', 'b', 'ä"\n', 'constructor');
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, 1, 'text', true),
    fc.array(fc.constantFrom(null, 1, 'x'), { maxLength: 2 }),
    fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const attributes = fc.dictionary(key, value, { noNullPrototype: true }) as fc.Arbitrary<Record<string, unknown>>;

describe('merged attributes', () => {
  it('are those of a JSON Merge Patch, whatever is merged, and change neither the stored ones nor a patch', () => {
    fc.assert(
      fc.property(attributes, fc.array(attributes, { maxLength: 4 }), (stored, patches) => {
        const given = structuredClone([stored, patches]);
        const merged = new MergedAttributes(stored);
        let expected = stored;
        for (const patch of patches) {
          const after = mergePatch(expected, patch);
          expect(merged.merge(patch)).toBe(isDeepStrictEqual(after, expected) ? 'unchanged' : 'changed');
          expected = after;
        }
        expect(merged.value).toEqual(expected);
        expect([stored, patches]).toEqual(given);
      }),
      { numRuns: 2_000 },
    );
  });

  it('grow up to the limit, and not beyond it', () => {
    const merged = new MergedAttributes({});
    const part = 'x'.repeat(1_000);
    let accepted = 0;
    while (merged.merge({ [`part-${accepted}`]: part }) === 'changed') accepted += 1;
    const bytes = Buffer.byteLength(JSON.stringify(merged.value));
    expect(bytes).toBeLessThanOrEqual(MAX_ATTRIBUTES_BYTES);
    expect(bytes).toBeGreaterThan(MAX_ATTRIBUTES_BYTES - 1_100);
    expect(Object.keys(merged.value)).toHaveLength(accepted);
    // Changes that do not grow them are still possible.
    expect(merged.merge({ 'part-0': 'y'.repeat(1_000), 'part-1': null })).toBe('changed');
    expect(merged.merge({ nested: { more: part } })).toBe('changed');
    expect(merged.merge({ nested: { evenMore: part } })).toBe('too_large');
  });

  it('that are larger already can become smaller', () => {
    const merged = new MergedAttributes({ a: 'x'.repeat(MAX_ATTRIBUTES_BYTES), b: 'x'.repeat(10) });
    expect(merged.merge({ c: 1 })).toBe('too_large');
    expect(merged.merge({ b: null })).toBe('changed');
    expect(merged.merge({ a: 'short' })).toBe('changed');
    expect(merged.merge({ c: 1 })).toBe('changed');
  });
});
