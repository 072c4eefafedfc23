/** Turns rows into the column arrays that `unnest` takes: one array per named field. */
export function columns<Row>(rows: readonly Row[], fields: readonly ((row: Row) => unknown)[]): unknown[][] {
  return fields.map((field) => rows.map((row) => field(row)));
}

/** JSON for a jsonb column, or null. */
export function json(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}
