import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanJson, cleanText } from './clean-text.js';

describe('text from outside', () => {
  it.each([
    ['plain text stays', 'héllo 👋', 'héllo 👋'],
    ['NUL', 'a\0b\0', 'a\uFFFDb\uFFFD'],
    ['a lone surrogate', 'a\uD83Db\uDC4B', 'a\uFFFDb\uFFFD'],
    ['a number', 550, '550'],
    ['an object', { code: 1 }, '[object Object]'],
    ['nothing', undefined, 'undefined'],
    ['too long', 'x'.repeat(200), 'x'.repeat(100)],
    ['cut within a pair', `${'x'.repeat(99)}👋`, `${'x'.repeat(99)}\uFFFD`],
  ])('%s', (_name, given, wanted) => {
    expect(cleanText(given, 100)).toBe(wanted);
  });

  it('is always storable and never longer than allowed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(50), (text, length) => {
        const clean = cleanText(`${text}\0\uD800`, length);
        expect(clean.isWellFormed() && !clean.includes('\0') && clean.length <= length).toBe(true);
      }),
    );
  });

  it('is found anywhere in a value', () => {
    const when = null;
    expect(cleanJson({ 'a\0': ['b\uD800', { c: 'd\0' }], n: 1, when, yes: true })).toEqual({
      'a\uFFFD': ['b\uFFFD', { c: 'd\uFFFD' }],
      n: 1,
      when,
      yes: true,
    });
  });
});
