import type pg from 'pg';
import { until } from './until.js';

/** Waits until exactly so many sessions of this connection's database wait for a lock. */
export async function untilWaitingForLock(sql: Pick<pg.Client, 'query'>, count: number): Promise<void> {
  await until(`${count} wait for a lock`, async () => {
    const { rows } = await sql.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length === count;
  });
}
