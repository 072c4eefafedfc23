import type { Database } from '../../database.js';

/** The tables that are partitioned by week, in the order in which their partitions are dropped. */
export const PARTITIONED = ['deliveries', 'attempts', 'delivery_log', 'notifications'] as const;
export type PartitionedTable = (typeof PARTITIONED)[number];

/** Weekly partitions: made ahead, and dropped when their time has passed. The SQL is in the migration `20261125100000_partitions`. */
export class PartitionsStore {
  constructor(private readonly database: Database) {}

  /**
   * Makes the partitions that are missing up to four weeks ahead, each in a transaction of its own; returns how many. A table that fails does not
   * keep the others from getting theirs; its error is thrown in the end.
   */
  async make(weeksAhead = 4): Promise<number> {
    return await this.eachTable('select carillon_make_partition($1, $2) as name', weeksAhead);
  }

  /** Days for which every table has partitions; 0 or less when sends are refused already. */
  async horizonDays(): Promise<number> {
    const [row] = await this.database.platform.query<{ days: number }>({
      name: 'partition_horizon',
      text: 'select carillon_partition_horizon_days() as days',
    });
    return row!.days;
  }

  /**
   * Drops partitions that ended before a time and hold nothing that must stay (a delivery that is not final, a notification of one); returns how many.
   * A lock that is not to be had within 100 ms is left to the next call: everything else would wait behind this one.
   */
  async dropBefore(before: Date): Promise<number> {
    return await this.eachTable('select carillon_drop_partition($1, $2) as name', before);
  }

  /** The latest moment covered by a partition of the table that ended before a time; null when there is none. */
  async lastEndBefore(table: PartitionedTable, before: Date): Promise<Date | null> {
    const [row] = await this.database.platform.query<{ end: Date | null }>({
      text: `select to_timestamp(max(end_ms) / 1000) as "end" from carillon_partitions() where parent = $1 and end_ms <= extract(epoch from $2::timestamptz) * 1000`,
      values: [table, before],
    });
    return row!.end;
  }

  /** Repeats a statement for each table until it finds nothing more to do. */
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
