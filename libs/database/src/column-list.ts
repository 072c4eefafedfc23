import { columns } from './columns.js';

/** The SQL type of a column, such as `uuid`, and its value in a row. */
type Column<Row> = readonly [type: string, value: (row: Row) => unknown];

/** One definition of the columns that a statement takes as arrays: their order, names, types and values. */
export interface ColumnList<Row> {
  /** How many parameters it takes. */
  readonly length: number;
  /** `tenant_id, id`. */
  readonly names: string;
  /** `$1::uuid[], $2::uuid[]`, from parameter `first` on. */
  parameters(first?: number): string;
  /** `unnest($1::uuid[], $2::uuid[]) as i(tenant_id, id)`. */
  table(alias: string, first?: number): string;
  /** The same with the place of each row from 1 in a last column `ord`. */
  numberedTable(alias: string, first?: number): string;
  /** The values of the parameters: one array for each column. A column of nulls only is an empty array. */
  values(rows: readonly Row[]): unknown[][];
}

/** `columnList<Key>({ tenant_id: ['uuid', (key) => key.tenantId], id: ['uuid', (key) => key.id] })`. */
export function columnList<Row>(definition: Readonly<Record<string, Column<Row>>>): ColumnList<Row> {
  const types = Object.values(definition).map(([type]) => type);
  const fields = Object.values(definition).map(([, value]) => value);
  const names = Object.keys(definition).join(', ');
  const parameters = (first = 1): string => types.map((type, index) => `$${first + index}::${type}[]`).join(', ');
  return {
    length: types.length,
    names,
    parameters,
    table: (alias, first) => `unnest(${parameters(first)}) as ${alias}(${names})`,
    numberedTable: (alias, first) => `unnest(${parameters(first)}) with ordinality as ${alias}(${names}, ord)`,
    values: (rows) => columns(rows, fields),
  };
}
