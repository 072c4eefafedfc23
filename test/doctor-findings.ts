import { expect } from 'vitest';
import { counterChecks, Database, type Finding, queueChecks } from '#database';
import type { TestEnvironment } from './test-environment.js';

/** What `carillon doctor` finds in the tables of a test's deployment. */
export async function doctorFindings(databaseUrl: string): Promise<Finding[]> {
  const database = new Database({ url: databaseUrl, poolSize: 1 });
  try {
    const found: Finding[] = [];
    for (const check of [...queueChecks(database), ...counterChecks(database, false, 90)])
      found.push(...(await check.run(() => undefined)).findings);
    return found;
  } finally {
    await database.close();
  }
}

/** Stops the environment. The whole life of its tests must have left nothing to report. */
export async function examineAndStop(app: TestEnvironment | undefined): Promise<void> {
  if (!app) return;
  const found = await doctorFindings(app.databaseUrl);
  await app.stop();
  expect(found).toEqual([]);
}
