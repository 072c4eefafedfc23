/** A raw query. With a `name` it is prepared once per connection. */
export interface Statement {
  name?: string;
  text: string;
  values?: unknown[];
}

/** Runs one raw statement and resolves with its rows. */
export interface Sql {
  query<Row extends object>(statement: Statement): Promise<Row[]>;
}
