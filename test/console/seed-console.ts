// Data for the console and for measurements of its lists: seedConsole() for tests, `npm run seed:console` for a running API.

import { deliveryGroups, dueStatement, FUNCTIONS, PLAN_TABLE, planStatements } from './seed-deliveries.ts';
import { SeedSessions } from './seed-sessions.ts';
import { statisticsGroup } from './seed-statistics.ts';
import { tableGroups } from './seed-tables.ts';

export { RARE_ADDRESS, RARE_REASON } from './seed-deliveries.ts';

interface SeedOptions {
  databaseUrl: string;
  tenantId: string;
  /** Deliveries to people; everything else is in proportion. A million takes less than a minute. */
  deliveries: number;
}

const WEEKS = [5, 4, 3, 2, 1];
/** Largest first. */
const TABLES = `
select relname::text as name from pg_class c
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
order by (select sum(pg_table_size(relid)) from pg_partition_tree(c.oid)) desc nulls last`;

/**
 * Fills a tenant that has no notifications yet. Provider accounts and webhook endpoints have secrets, so they are made
 * over the API before (makeSealed in make-sealed.ts). Nothing is due: a worker sends nothing of it for ten days.
 */
export async function seedConsole({ databaseUrl, tenantId, deliveries }: SeedOptions): Promise<void> {
  const sessions = await SeedSessions.open(databaseUrl, FUNCTIONS);
  try {
    // Rows older than those of a new installation need the partitions of their weeks.
    for (const weeks of WEEKS)
      await sessions.query(`select carillon_make_partitions(0, now() - $1 * interval '1 week')`, [weeks]);
    const [found] = await sessions.query<{ accounts: object }>(
      `select coalesce(jsonb_object_agg(channel, id), '{}') as accounts from provider_accounts where tenant_id = $1`,
      [tenantId],
    );
    const recipients = Math.max(20, Math.round(deliveries / 10));
    const scope = { tenantId, deliveries, recipients, accounts: JSON.stringify(found!.accounts) };
    await sessions.query(`drop table if exists ${PLAN_TABLE}`);
    await sessions.run([planStatements(scope)]);
    await sessions.run([...deliveryGroups(scope), ...tableGroups(scope)]);
    await sessions.run([[dueStatement(scope)], statisticsGroup(scope)]);
    const tables = await sessions.query<{ name: string }>(TABLES);
    await sessions.run(tables.map(({ name }) => [{ text: `vacuum analyze ${name}`, values: [] }]));
  } finally {
    await sessions.query(`drop table if exists ${PLAN_TABLE}`);
    await sessions.close();
  }
}
