// Checks for each package under packages/, packed as npm would publish it.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, it } from 'vitest';

export const run = promisify(execFile);
export const ROOT = join(import.meta.dirname, '..');

/**
 * Declares the tests of a package in this folder. Returns a function for tests: the files that npm would publish.
 * `attwOptions`: further options of attw, which checks the types.
 */
export function testPackage(folder: string, attwOptions: readonly string[] = []): () => readonly string[] {
  let directory: string;
  let tarball: string;
  let packed: string[];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'carillon-package-'));
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory], { cwd: folder });
    const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    tarball = join(directory, filename);
    packed = files.map(({ path }) => path);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('is correct for publint', async () => {
    const { messages } = await publint({ pkgDir: folder, pack: false, strict: true });
    expect(messages).toEqual([]);
  });

  it('has types that every resolver of ES modules finds', async () => {
    const attw = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    // Exits with 1 for a problem.
    await run(process.execPath, [attw, tarball, '--profile', 'esm-only', ...attwOptions]);
  }, 60_000);

  it('has the version of the repository', () => {
    const [own, repository] = [folder, ROOT].map((path) => readJson(join(path, 'package.json')));
    expect(own['version']).toBe(repository!['version']);
  });

  return () => packed;
}

export const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
