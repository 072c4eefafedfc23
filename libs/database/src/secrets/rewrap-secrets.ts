import { NIL_ID } from '#domain';
import type { Database } from '../database.js';
import { type SealedColumn, sealedColumns } from './sealed-columns.js';
import type { SecretBox } from './secret-box.js';

/** Rows of one statement. Re-wrapping takes some 20 µs for each, and the update locks them for a few milliseconds. */
const BATCH = 500;
/** Counting reads a whole table. */
const COUNT_TIMEOUT_MS = 600_000;
/** Failures that the result lists; the others are only counted. */
const MAX_LISTED = 20;

/** Secrets of one column under one master key. */
export interface SealedCount {
  /** `table.column` */
  column: string;
  keyId: string;
  count: number;
}

export interface RewrapProgress {
  /** `table.column` */
  column: string;
  done: number;
  total: number;
}

export interface RewrapResult {
  rewrapped: number;
  /** Why some secrets could not be re-wrapped: a missing master key, or a damaged row. At most 20. */
  failures: string[];
  failed: number;
  /** All secrets after the run. */
  counts: SealedCount[];
}

interface SealedRow {
  tenant_id: string;
  id: string;
  sealed: string;
}

/** Counts the sealed secrets by column and master key. */
export async function countSealed(database: Database): Promise<SealedCount[]> {
  const counts: SealedCount[] = [];
  for (const { table, column } of sealedColumns) {
    const rows = await database.sqlAsPlatform(
      (sql) =>
        sql.query<{ key_id: string; count: number }>({
          text: `select split_part(${column}, '.', 2) as key_id, count(*)::integer as count
                 from ${table} where ${column} is not null group by 1 order by 1`,
        }),
      COUNT_TIMEOUT_MS,
    );
    counts.push(...rows.map(({ key_id, count }) => ({ column: `${table}.${column}`, keyId: key_id, count })));
  }
  return counts;
}

/**
 * Seals the data key of every secret under the current master key. Reads each column in order of its primary key, and
 * only secrets under another master key, so a second run does only what is left. Safe while other processes run: a
 * secret that has changed since it was read is left as it is.
 */
export async function rewrapSecrets(
  database: Database,
  box: SecretBox,
  onProgress: (progress: RewrapProgress) => void,
): Promise<RewrapResult> {
  const before = await countSealed(database);
  const total = before.reduce((sum, { keyId, count }) => sum + (keyId === box.keyId ? 0 : count), 0);
  const result: Omit<RewrapResult, 'counts'> = { rewrapped: 0, failures: [], failed: 0 };
  let done = 0;
  for (const column of sealedColumns) {
    for (let after: SealedRow | undefined; ; ) {
      const rows = await readBatch(database, column, box.keyId, after);
      if (rows.length === 0) break;
      after = rows.at(-1);
      result.rewrapped += await writeBatch(database, column, rewrapRows(box, column.table, rows, result));
      done += rows.length;
      // Running processes may have added some.
      onProgress({ column: `${column.table}.${column.column}`, done, total: Math.max(done, total) });
    }
  }
  return { ...result, counts: await countSealed(database) };
}

/** Index: the primary key; idempotency_keys_sealed_idx. */
async function readBatch(
  database: Database,
  { table, column, id, idType }: SealedColumn,
  keyId: string,
  after: SealedRow | undefined,
): Promise<SealedRow[]> {
  return await database.sqlAsPlatform(
    (sql) =>
      sql.query<SealedRow>({
        text: `select tenant_id, ${id} as id, ${column} as sealed from ${table}
               where (tenant_id, ${id}) > ($1::uuid, $2::${idType}) and ${column} is not null
                 and split_part(${column}, '.', 2) <> $3
               order by tenant_id, ${id} limit ${BATCH}`,
        values: [after?.tenant_id ?? NIL_ID, after?.id ?? (idType === 'uuid' ? NIL_ID : ''), keyId],
      }),
    COUNT_TIMEOUT_MS,
  );
}

function rewrapRows(
  box: SecretBox,
  table: string,
  rows: readonly SealedRow[],
  result: Pick<RewrapResult, 'failures' | 'failed'>,
): (SealedRow & { rewrapped: string })[] {
  return rows.flatMap((row) => {
    try {
      return [{ ...row, rewrapped: box.rewrap(row.sealed, { tenantId: row.tenant_id, table, id: row.id }) }];
    } catch (error) {
      result.failed += 1;
      if (result.failures.length < MAX_LISTED) result.failures.push((error as Error).message);
      return [];
    }
  });
}

/** Returns the number of rows written. Index: the primary key. */
async function writeBatch(
  database: Database,
  { table, column, id, idType }: SealedColumn,
  rows: readonly (SealedRow & { rewrapped: string })[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const written = await database.platform.query({
    text: `update ${table} t set ${column} = r.rewrapped
           from unnest($1::uuid[], $2::${idType}[], $3::text[], $4::text[]) as r (tenant_id, id, sealed, rewrapped)
           where t.tenant_id = r.tenant_id and t.${id} = r.id and t.${column} = r.sealed
           returning 1 as written`,
    values: [
      rows.map(({ tenant_id }) => tenant_id),
      rows.map(({ id: rowId }) => rowId),
      rows.map(({ sealed }) => sealed),
      rows.map(({ rewrapped }) => rewrapped),
    ],
  });
  return written.length;
}
