import fc from 'fast-check';
import { expect, it } from 'vitest';
import { luminanceOf, textOn } from '../brand.js';
import { en } from './en.js';
import { pageLanguage } from './page-texts.js';

it.each([
  ['de-AT', undefined, 'de'],
  ['pt', 'fr-CH, fr;q=0.9, en;q=0.8', 'fr'],
  [null, 'en;q=0.2, ar;q=0.9', 'ar'],
  [null, 'es;q=0, de;q=0.1', 'de'],
  [null, 'dex, *;q=0.5', 'en'],
  ['constructor', '__proto__', 'en'],
  [null, undefined, 'en'],
])('the language for the locale %s and the header %s is %s', (locale, header, tag) => {
  expect(pageLanguage(locale, header).tag).toBe(tag);
});

it('every language has every placeholder of the English text', () => {
  const placeholders = (texts: object): Record<string, string[]> =>
    Object.fromEntries(
      Object.entries(texts).map(([name, text]) => [
        name,
        String(text)
          .match(/\{\w+\}/g)
          ?.sort() ?? [],
      ]),
    );
  for (const locale of ['de', 'fr', 'es', 'ar']) {
    const { texts } = pageLanguage(locale, undefined);
    expect(placeholders(texts), locale).toEqual(placeholders(en));
    expect(Object.keys(texts.channels).sort()).toEqual(Object.keys(en.channels).sort());
    expect(texts.title).not.toBe(en.title);
  }
});

it('text on the colour of a brand has a contrast of at least 4.5', () => {
  const color = fc.integer({ min: 0, max: 0xffffff }).map((number) => `#${number.toString(16).padStart(6, '0')}`);
  fc.assert(
    fc.property(color, (background) => {
      const [one, two] = [luminanceOf(background), textOn(background) === '#000' ? 0 : 1];
      expect((Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)).toBeGreaterThanOrEqual(4.5);
    }),
    { numRuns: 2_000 },
  );
});
