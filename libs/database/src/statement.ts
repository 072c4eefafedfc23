/** A raw query; with `name` it is prepared once per connection. */
export interface Statement {
  name?: string;
  text: string;
  values?: unknown[];
}

/** Runs raw SQL: one statement, its rows. */
export interface Sql {
  query<Row extends object>(statement: Statement): Promise<Row[]>;
}
