// Several statements of one tenant in one round trip, over pg's interface for queries with a protocol of their own (`submit`, as
// pg-cursor uses it).
//
// PostgreSQL treats all messages up to one Sync as one transaction (protocol documentation, "Extended Query", pipelining). So the
// tenant is set, local to the transaction, in the same packet as the statements: after the Sync it is gone, whether
// they succeeded or not, and the first error skips everything behind it and undoes everything before it.

import pg from 'pg';
import type { Statement } from './statement.js';

/** The part of pg's Connection that is used here; @types/pg does not describe it for plain names. */
interface PgConnection {
  stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string }): void;
  bind(message: { statement: string; values: unknown[]; valueMapper: (value: unknown) => unknown }): void;
  describe(message: { type: 'P' }): void;
  execute(message: object): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
}

interface RawResult {
  rows: object[];
  addFields(fields: unknown): void;
  parseRow(fields: unknown): object;
}

const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): unknown } }).utils;

/** What is prepared on each connection: text by name. */
const prepared = new WeakMap<object, Map<string, string>>();
/** Keeps these names apart from those that pg itself prepares on the same connection. */
const PREFIX = 'tenant:';

/** Named statements are planned once: planning anew for each execution, with all weekly partitions, would cost ten times the execution. */
const SET_TENANT = {
  name: 'set_tenant',
  text: `select set_config('app.tenant_id', $1, true), set_config('plan_cache_mode', $2, true),
                set_config('enable_partition_pruning', $3, true),
                set_config('transaction_read_only', case $3 when 'on' then $3 else current_setting('transaction_read_only') end, true)`,
};

/** Only a read-only transaction may plan with partition pruning (docs/adr/0024): the server refuses a change that this overlooks. */
const isRead = ({ text }: Statement): boolean => !/\b(insert|update|delete|merge)\b/i.test(text);

/** Give it to `client.query`; `done` has the rows of each statement. A client on which it failed with anything but a DatabaseError must not be used again. */
export class TenantQuery implements pg.Submittable {
  readonly done: Promise<object[][]>;
  /** pg calls it, with an error, when the time is up. */
  callback: (error: Error | null) => void;
  private readonly statements: { name: string; text: string; values: unknown[] }[];
  private readonly results: (RawResult | undefined)[] = [];
  private answered = 0;
  private failure: Error | null = null;

  constructor(
    tenantId: string,
    statements: readonly Statement[],
    private readonly types: pg.CustomTypesConfig,
  ) {
    const planning = statements.every(({ name }) => name !== undefined) ? 'force_generic_plan' : 'auto';
    const reads = statements.every(isRead) ? 'on' : 'off';
    this.statements = [{ ...SET_TENANT, values: [tenantId, planning, reads] }, ...statements].map(
      ({ name, text, values = [] }) => ({
        name: name === undefined ? '' : PREFIX + name,
        text,
        // Here, because a value that cannot be sent must fail before anything has been sent.
        values: values.map(prepareValue),
      }),
    );
    const { promise, resolve, reject } = Promise.withResolvers<object[][]>();
    this.done = promise;
    this.callback = (error) =>
      error ? reject(error) : resolve(statements.map((_, index) => this.results[index + 1]?.rows ?? []));
  }

  submit(client: unknown): void {
    const connection = client as PgConnection;
    const known = preparedOn(connection);
    connection.stream.cork();
    for (const { name, text, values } of this.statements) {
      if (name === '' || known.get(name) !== text) {
        // An earlier try may have got as far as this name before it failed. Closing a name that does not exist is no error.
        if (name !== '') {
          // If the new text is refused, the old one is gone all the same.
          known.delete(name);
          connection.close({ type: 'S', name });
        }
        connection.parse({ name, text });
      }
      connection.bind({ statement: name, values, valueMapper: (value) => value });
      connection.describe({ type: 'P' });
      connection.execute({});
    }
    connection.sync();
    connection.stream.uncork();
  }

  handleRowDescription({ fields }: { fields: unknown }): void {
    const result = new (pg.Result as unknown as new (mode: undefined, types: unknown) => RawResult)(
      undefined,
      this.types,
    );
    result.addFields(fields);
    this.results[this.answered] = result;
  }

  handleDataRow({ fields }: { fields: unknown }): void {
    try {
      const result = this.results[this.answered]!;
      result.rows.push(result.parseRow(fields));
    } catch (error) {
      this.failure ??= error as Error;
    }
  }

  handleCommandComplete(): void {
    this.answered += 1;
  }

  handleReadyForQuery(connection: object): void {
    const known = preparedOn(connection);
    for (const { name, text } of this.statements) if (name !== '') known.set(name, text);
    this.callback(this.failure);
  }

  handleError(error: Error): void {
    this.callback(error);
  }
}

function preparedOn(connection: object): Map<string, string> {
  let texts = prepared.get(connection);
  if (!texts) {
    texts = new Map();
    prepared.set(connection, texts);
  }
  return texts;
}
