/**
 * Turns rows into one array per field, the parameters of `unnest`. A column of nulls only becomes an empty array, which
 * `unnest` fills with nulls to the length of the longest one. Use it only for arrays of one `unnest` in which at least
 * one column is never null, not for subscripts or `= any`.
 */
export function columns<Row>(rows: readonly Row[], fields: readonly ((row: Row) => unknown)[]): unknown[][] {
  return fields.map((field) => {
    const values = rows.map((row) => field(row));
    return values.every((value) => value === null) ? [] : values;
  });
}

/** JSON for a jsonb column, or null. */
export function json(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}
