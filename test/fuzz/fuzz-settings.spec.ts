import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('the settings of `npm run fuzz`', () => {
  it('are used in CI, for every route of the OpenAPI document', () => {
    expect(read('.ci/run')).toMatch(/^npm run fuzz\b/m);
    const [, groups] = /GROUPS = \{(.*?)\}/s.exec(read('scripts/fuzz.ts'))!;
    const patterns = [...groups!.matchAll(/: '(.+)',/g)].map(([, pattern]) => new RegExp(pattern!));
    expect(patterns.length).toBeGreaterThan(2);
    const paths = Object.keys((JSON.parse(read('docs/openapi.json')) as { paths: object }).paths);
    expect(paths.filter((path) => patterns.filter((pattern) => pattern.test(path)).length !== 1)).toEqual([]);
  });

  it('exclude nothing without a reason', () => {
    const lines = read('test/fuzz/schemathesis.toml').split('\n');
    const switchedOff = lines.flatMap((line, at) => (/^enabled = false|exclude/.test(line) ? [at] : []));
    const unexplained = switchedOff.filter((at) => !lines[at - 2]?.startsWith('# '));
    expect(unexplained.map((at) => lines[at - 1])).toEqual([]);
    expect(read('scripts/fuzz.ts')).not.toMatch(/exclude/);
  });
});
