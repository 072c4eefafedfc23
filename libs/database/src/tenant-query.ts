// Several statements of one tenant in one round trip, through pg's `submit` interface for custom queries, which
// pg-cursor uses too.
//
// PostgreSQL treats all messages up to a Sync as one transaction (protocol documentation, "Extended Query",
// pipelining). So the tenant is set, local to the transaction, in the same packet as the statements. After the Sync the
// setting is gone, and an error skips the following statements and rolls back the preceding ones.

import pg from 'pg';
import type { Statement } from './statement.js';

/** The part of pg's Connection that is used here; @types/pg does not describe it. */
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

/** By connection, the text of each prepared statement by name. */
const prepared = new WeakMap<object, Map<string, string>>();
/** Separates these names from those that pg prepares on the same connection. */
const PREFIX = 'tenant:';

/** Named statements are planned once: planning over all weekly partitions costs ten times as much as the execution. */
const BEGIN = { name: 'begin', text: 'begin', values: [] };
const SET_TENANT = {
  name: 'set_tenant',
  text: `select set_config('app.tenant_id', $1, true), set_config('plan_cache_mode', $2, true),
                set_config('enable_partition_pruning', $3, true),
                set_config('transaction_read_only',
                           case $3 when 'on' then $3 else current_setting('transaction_read_only') end, true)`,
};

/**
 * Only a read-only transaction may use partition pruning (docs/adr/0024). The server rejects a change that this check
 * does not recognise.
 */
const isRead = ({ text }: Statement): boolean => !/\b(insert|update|delete|merge)\b/i.test(text);

/**
 * Pass it to `client.query`; `done` resolves with the rows of each statement. After an error that is not a
 * DatabaseError the client must not be used again.
 */
export class TenantQuery implements pg.Submittable {
  readonly done: Promise<object[][]>;
  /** pg calls this with an error after a time-out. */
  callback: (error: Error | null) => void;
  private readonly statements: { name: string; text: string; values: unknown[] }[];
  private readonly results: (RawResult | undefined)[] = [];
  private answered = 0;
  private failure: Error | null = null;

  /** Begins a transaction of this tenant that lasts until `commit` or `rollback`. */
  static begin(tenantId: string, types: pg.CustomTypesConfig): TenantQuery {
    return new TenantQuery(tenantId, [], types, true);
  }

  constructor(
    tenantId: string,
    statements: readonly Statement[],
    private readonly types: pg.CustomTypesConfig,
    begins = false,
  ) {
    const isNamed = ({ name }: Statement): boolean => name !== undefined;
    const planning = !begins && statements.every(isNamed) ? 'force_generic_plan' : 'auto';
    const reads = !begins && statements.every(isRead) ? 'on' : 'off';
    const setTenant = { ...SET_TENANT, values: [tenantId, planning, reads] };
    this.statements = [...(begins ? [BEGIN] : []), setTenant, ...statements].map(({ name, text, values = [] }) => ({
      name: name === undefined ? '' : PREFIX + name,
      text,
      // In the constructor, so that a value that cannot be serialised throws before anything is sent.
      values: values.map(prepareValue),
    }));
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
        // A failed attempt may have prepared this name already. Closing an unknown name is not an error.
        if (name !== '') {
          // The old statement is closed even if the server rejects the new text.
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
