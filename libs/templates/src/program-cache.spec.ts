import { expect, it } from 'vitest';
import { parseProgram } from './program.ts';
import { ProgramCache } from './program-cache.ts';

const LENGTH = 100_000;
const source = (index: number): string => `{{a${index}}}`.padEnd(LENGTH, 'x');

it('counts two bytes per character, separately for html and plain text', () => {
  const cache = new ProgramCache(10 * 2 * LENGTH);
  const limits = { maxBytes: 2 * LENGTH, trustedHtml: true };
  for (let index = 0; index < 20; index += 1)
    for (const kind of ['html', 'text'] as const) cache.set(source(index), kind, parseProgram(source(index), limits));
  for (const kind of ['html', 'text'] as const) {
    const kept = Array.from({ length: 20 }, (_, index) => index).filter((index) => cache.get(source(index), kind));
    expect(kept).toEqual([16, 17, 18, 19]);
  }
});
