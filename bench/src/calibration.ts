import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';

/** Figures of this machine that explain most differences between two runs. */
export function calibrate(): Record<string, string | number> {
  const directory = mkdtempSync(join(tmpdir(), 'carillon-calibrate-'));
  const file = openSync(join(directory, 'x'), 'w');
  const block = Buffer.alloc(8_192, 1);
  let syncs = 0;
  for (const end = performance.now() + 500; performance.now() < end; syncs += 1) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  closeSync(file);
  rmSync(directory, { recursive: true });
  let turns = 0;
  let value = 1;
  for (const end = performance.now() + 500; performance.now() < end; turns += 1)
    for (let index = 0; index < 10_000; index += 1) value = (value * 48_271) % 2_147_483_647;
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    fdatasync_per_second: syncs * 2,
    loop_million_per_second: Math.round((turns * 10_000 * 2) / 1e6) + (value > 0 ? 0 : 1),
  };
}
