import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Database, DeliveriesStore } from '#database';
import { OutcomeSpool } from './outcome-spool.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'carillon-spool-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it('does not quote a file that it cannot read in the log', async () => {
  const lines: string[] = [];
  const logger = pino({}, { write: (line: string) => lines.push(line) });
  // Never asked: the file is refused before.
  const database = new Database({ url: 'postgres://127.0.0.1:1/none', poolSize: 1 });
  writeFileSync(join(directory, 'torn.json'), 'ann@example.com');
  expect(await new OutcomeSpool(directory, new DeliveriesStore(database, () => undefined), logger).replay()).toBe(0);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({ why: 'it is not an outcome' });
  expect(lines[0]).not.toContain('ann@');
  await database.close();
});
