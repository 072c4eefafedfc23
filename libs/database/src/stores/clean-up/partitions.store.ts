import type { Database } from '../../database.js';

/** The tables that are partitioned by week, in the order in which their partitions are dropped. */
export const PARTITIONED = ['deliveries', 'attempts', 'delivery_log', 'notifications'] as const;
export type PartitionedTable = (typeof PARTITIONED)[number];

/** Workers create partitions four weeks ahead: with fewer days left, they have failed to do so for weeks. */
export const LOW_HORIZON_DAYS = 7;

/** Creates weekly partitions ahead and drops old ones, by SQL functions of migration `20261125100000_partitions`. */
export class PartitionsStore {
  constructor(private readonly database: Database) {}

  /**
   * Creates the missing partitions up to `weeksAhead` weeks ahead, each in its own transaction. Returns their number.
   * An error of one table does not stop the others and is thrown at the end.
   */
  async make(weeksAhead = 4): Promise<number> {
    return await this.eachTable('select carillon_make_partition($1, $2) as name', weeksAhead);
  }

  /** The number of days for which every table has partitions; 0 or less if sends already fail. */
  async horizonDays(): Promise<number> {
    const [row] = await this.database.platform.query<{ days: number }>({
      name: 'partition_horizon',
      text: 'select carillon_partition_horizon_days() as days',
    });
    return row!.days;
  }

  /**
   * Drops the partitions that ended before a time and have no row that must stay: a delivery that is not final or has a
   * dead letter, or its notification. Returns their number. Leaves a partition whose lock is not free within 100 ms to
   * the next call, because other statements wait behind this one.
   */
  async dropBefore(before: Date): Promise<number> {
    return await this.eachTable('select carillon_drop_partition($1, $2) as name', before);
  }

  /** The latest end of a partition of the table that ended before a time; null if there is none. */
  async lastEndBefore(table: PartitionedTable, before: Date): Promise<Date | null> {
    const [row] = await this.database.platform.query<{ end: Date | null }>({
      text: `select to_timestamp(max(end_ms) / 1000) as "end" from carillon_partitions()
             where parent = $1 and end_ms <= extract(epoch from $2::timestamptz) * 1000`,
      values: [table, before],
    });
    return row!.end;
  }

  /** Repeats a statement for each table until it returns null. Returns how often it did something. */
  private async eachTable(text: string, argument: unknown): Promise<number> {
    let done = 0;
    const failures: unknown[] = [];
    for (const table of PARTITIONED) {
      try {
        for (;;) {
          const [row] = await this.database.platform.query<{ name: string | null }>({
            text,
            values: [table, argument],
          });
          if (row!.name === null) break;
          done += 1;
        }
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return done;
  }
}
