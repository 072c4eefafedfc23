// Data for the console and for measurements of its lists: seedConsole() for tests, `npm run seed` for a running API.

import pg from 'pg';
import { seedDeliveries } from './seed-deliveries.ts';
import { seedTables } from './seed-tables.ts';

export { RARE_ADDRESS, RARE_REASON } from './seed-deliveries.ts';

interface SeedOptions {
  databaseUrl: string;
  tenantId: string;
  /** Deliveries to people; everything else is in proportion. A million takes less than a minute. */
  deliveries: number;
}

const WEEKS = [5, 4, 3, 2, 1];

/**
 * Fills a tenant that has no notifications yet. Provider accounts and webhook endpoints have secrets, so they are made
 * over the API before (makeSealed in make-sealed.ts). Nothing is due: a worker sends nothing of it for ten days.
 */
export async function seedConsole({ databaseUrl, tenantId, deliveries }: SeedOptions): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const recipients = Math.max(20, Math.round(deliveries / 10));
  try {
    // Rows older than those of a new installation need the partitions of their weeks.
    for (const weeks of WEEKS)
      await client.query(`select carillon_make_partitions(0, now() - $1 * interval '1 week')`, [weeks]);
    await client.query(`begin; set local synchronous_commit = off; set local work_mem = '256MB'; set local jit = off`);
    await seedDeliveries({ client, tenantId, deliveries, recipients });
    await seedTables({ client, tenantId, deliveries, recipients });
    await client.query('commit');
    await client.query('vacuum analyze');
  } finally {
    await client.end();
  }
}
