// Each row of docs/threat-model.md names the tests that hold it, by file and title.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

interface NamedTest {
  threat: string;
  file: string;
  /** `…` at its end stands for the rest of a title. */
  title: string;
}

/** The rows of the tables with a column for the test. */
function threats(): { threat: string; tests: string }[] {
  const rows: { threat: string; tests: string }[] = [];
  let isTableOfThreats = false;
  for (const line of readFileSync(join(ROOT, 'docs/threat-model.md'), 'utf8').split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim());
    if (!line.startsWith('|')) isTableOfThreats = false;
    else if (cells[1] === 'threat') isTableOfThreats = true;
    else if (isTableOfThreats && !cells[1]!.startsWith('---')) rows.push({ threat: cells[1]!, tests: cells.at(-2)! });
  }
  return rows;
}

function testsOf({ threat, tests }: { threat: string; tests: string }): NamedTest[] {
  return [...tests.matchAll(/`([^`]+)`((?:,? "[^"]+")+)/g)].flatMap(([, file, titles]) =>
    [...titles!.matchAll(/"([^"]+)"/g)].map(([, title]) => ({ threat, file: file!, title: title! })),
  );
}

describe('the threat model', () => {
  it('names at least one test by file and title in each row, and each of them exists', () => {
    const rows = threats();
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter((row) => testsOf(row).length === 0).map(({ threat }) => threat)).toEqual([]);
    const missing = rows
      .flatMap(testsOf)
      .filter(({ file, title }) => !titlesIn(file).includes(title.replace(/ ?…$/, '')));
    expect(missing).toEqual([]);
  });
});

/** The text of the file, with quotes as they are in titles. */
function titlesIn(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8').replaceAll("\\'", "'");
}
