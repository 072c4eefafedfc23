// The settings of connections to Postgres.

import pg from 'pg';
import { columnParsers } from './column-parsers.js';

/** Long enough for the largest batch, short enough that a half-open connection ends in a 503 instead of a hang. */
export const QUERY_TIMEOUT_MS = 1_800;
export const CONNECT_TIMEOUT_MS = 1_500;
/**
 * The client waits 0.2 s longer than the server's statement time-out. A server that still responds then reports the
 * time-out itself, so the client knows that the statement was rolled back.
 */
export const CLIENT_TIMEOUT_MS = QUERY_TIMEOUT_MS + 200;

/** Bounds of partitions and days of reports must not depend on the server's time zone (docs/adr/0016). */
export const IN_UTC = '-c timezone=UTC';

/**
 * The hot statements are batches of look-ups by primary key, prepared once per connection. A plan made for a small
 * table would read the whole table for each batch long after it has grown. Without these two plan types only the
 * look-up remains. The planner still scans a table that has no suitable index.
 */
const LOOK_UPS_ONLY = '-c enable_seqscan=off -c enable_mergejoin=off';

/**
 * For connections that change or lock rows. In PostgreSQL 18 up to 18.4, a statement that waits for a row lock and then
 * re-checks the row corrupts its state for run-time partition pruning: it misses rows, or the server crashes with
 * signal 11 (docs/adr/0024). Without pruning a plan has no such state. Read-only transactions never re-check a row, so
 * they keep pruning.
 */
const NO_PARTITION_PRUNING = '-c enable_partition_pruning=off';

/** The server refuses writes and row locks on such a connection. */
const READ_ONLY = '-c default_transaction_read_only=on';

/** Statements write events only on connections with this setting: see `emit` in events.store.ts. */
const EVENTS_ON = '-c carillon.events=on';

const PURPOSES = {
  write: `${LOOK_UPS_ONLY} ${NO_PARTITION_PRUNING}`,
  read: `${LOOK_UPS_ONLY} ${READ_ONLY}`,
  health: '',
} as const;

export interface PoolOptions {
  applicationName?: string | undefined;
  /** Whether statements write events. */
  events?: boolean | undefined;
  /** Called with each error on an idle connection. */
  onIdleError?: ((error: Error) => void) | undefined;
}

/**
 * A client that always uses the extended protocol. The server then rejects a text with two statements as a syntax
 * error, so a statement that got into a text by mistake does not run. (pg uses the simple protocol, which accepts
 * several, for a query without values.)
 */
class OneStatementClient extends pg.Client {
  /** The return type fits all eight signatures that pg declares for it. */
  override query(first: unknown, ...rest: unknown[]): never {
    const query = isSubmittable(first)
      ? first
      : { ...(typeof first === 'string' ? { text: first } : (first as object)), queryMode: 'extended' };
    return (super.query as (...parts: unknown[]) => unknown).call(this, query, ...rest) as never;
  }
}

const isSubmittable = (query: unknown): boolean => typeof (query as Partial<pg.Submittable>).submit === 'function';

/** A pool of up to `size` connections with the login of this URL. */
export function createPool(url: string, options: PoolOptions, purpose: keyof typeof PURPOSES, size: number): pg.Pool {
  const pool = new pg.Pool({
    Client: OneStatementClient,
    connectionString: url,
    application_name: options.applicationName ?? 'carillon',
    max: size,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    query_timeout: CLIENT_TIMEOUT_MS,
    keepAlive: true,
    options: [
      `${IN_UTC} -c statement_timeout=${QUERY_TIMEOUT_MS} -c jit=off`,
      '-c idle_in_transaction_session_timeout=10000',
      options.events ? EVENTS_ON : '',
      PURPOSES[purpose],
    ].join(' '),
    types: columnParsers,
  });
  // Without this listener an error on an idle connection, as at a server restart, ends the process.
  pool.on('error', (error) => options.onIdleError?.(error));
  // The same for a connection in use, which the pool does not listen to. The running statement is rejected with the
  // error anyway.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** A connection outside the pools, for LISTEN and advisory locks. The caller ends it. */
export function createClient(url: string, { applicationName }: PoolOptions): pg.Client {
  return new OneStatementClient({
    connectionString: url,
    application_name: `${applicationName ?? 'carillon'}-listen`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    options: IN_UTC,
  });
}
