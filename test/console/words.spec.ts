// The console shows the texts of docs/reasons.md.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reasonTexts } from '../../apps/console/src/words/reasons.ts';
import { ruleMeanings } from '../../apps/console/src/words/rules.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/reasons.md'), 'utf8');

/** The rows of each section, without links. */
const [waiting, suppressed, failed, rules] = page
  .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1')
  .split('\n## ')
  .slice(1)
  .map((section) =>
    [...section.matchAll(/^\| `([a-z_.]+)` \| (.+) \| (.+) \|$/gm)].map(
      ([, code, meaning, advice]) => [code!, { meaning, advice }] as const,
    ),
  );

describe('the console says what docs/reasons.md says', () => {
  it('of each reason, what it means and what to do', () => {
    expect(reasonTexts.waiting).toEqual(Object.fromEntries(waiting!));
    expect(reasonTexts.suppressed).toEqual(Object.fromEntries(suppressed!));
    expect(reasonTexts.failed).toEqual(Object.fromEntries(failed!));
  });

  it('of each rule, what decided', () => {
    expect(Object.entries(ruleMeanings)).toEqual(rules!.map(([code, { meaning }]) => [code, meaning]));
  });
});
