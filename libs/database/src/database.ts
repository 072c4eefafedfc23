import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { DomainError, isId } from '#domain';
import { columnParsers } from './column-parsers.js';
import { type Prisma, PrismaClient } from './generated/client.js';
import { isOutage, unavailableOf } from './outage.js';
import type { Sql, Statement } from './statement.js';
import { TenantQuery } from './tenant-query.js';

export type PrismaScope = Prisma.TransactionClient;

export interface DatabaseOptions {
  url: string;
  /** Connections per role. */
  poolSize: number;
  /** Told of every error on an idle connection: the server went away. */
  onIdleError?: (error: Error) => void;
  applicationName?: string;
  /** Whether somebody takes events (EventsStore): only then are they written. */
  events?: boolean;
}

/** Long enough for the largest batch, short enough that a half-open connection ends in a 503 instead of a hang. */
const QUERY_TIMEOUT_MS = 1_800;
const CONNECT_TIMEOUT_MS = 1_500;
/** How much longer we wait than the server works: where it can still answer, it says that it has given up and undone the statement. */
const ANSWER_MS = 200;
/** A statement is committed or undone so long after its transaction began, unless the transaction has several or its commit is slow. */
export const COMMIT_GRACE_MS = QUERY_TIMEOUT_MS + ANSWER_MS;
/** How long a scan of a whole queue may take: about a hundred million dead index entries. */
export const RESCAN_TIMEOUT_MS = 60_000;

/**
 * The hot statements are batches of look-ups by primary key, prepared once per connection. A plan made while a table was
 * small would read all of it for each batch long after it has grown; with these off the look-up is what is left. Where a
 * table has no fitting index a scan is used all the same.
 */
const LOOK_UPS_ONLY = '-c enable_seqscan=off -c enable_mergejoin=off';

/**
 * For connections that change or lock rows. In PostgreSQL 18 up to 18.4, a statement that waits for a row lock and then
 * re-checks the row corrupts its own state for choosing partitions at run time: the statement misses rows, or the server
 * crashes with signal 11 (docs/adr/0024). Without pruning a plan has no such state. Read-only transactions never re-check
 * a row, so they keep pruning.
 */
const NO_PARTITION_PRUNING = '-c enable_partition_pruning=off';

/** The server refuses writes and row locks on such a connection. */
const READ_ONLY = '-c default_transaction_read_only=on';

/** A worker runs at most four such statements at a time. */
const READING_CONNECTIONS = 4;

/** Bounds of partitions and days of reports must not depend on the zone of the server (docs/adr/0016). */
export const IN_UTC = '-c timezone=UTC';

/** What statements that write events ask for: see `emit` in events.store.ts. */
const EVENTS_ON = '-c carillon.events=on';

/**
 * The two doors to Postgres. A tenant's door opens connections that start as role `carillon_tenant` and see nothing
 * until a transaction has said whose it is; the platform's door opens connections that start as `carillon_platform`
 * and see all tenants. Callers of `asPlatform`, `sqlAsPlatform` and `platform` are on a list (test/architecture.spec.ts).
 */
export class Database {
  private readonly tenantPool: pg.Pool;
  private readonly platformPool: pg.Pool;
  private readonly readingPool: pg.Pool;
  /** A connection of its own, so that health answers while both pools are busy. */
  private readonly healthPool: pg.Pool;
  private tenantPrisma: PrismaClient | undefined;
  private platformPrisma: PrismaClient | undefined;

  constructor(private readonly options: DatabaseOptions) {
    this.tenantPool = this.pool('carillon_tenant', options.poolSize, `${LOOK_UPS_ONLY} ${NO_PARTITION_PRUNING}`);
    this.platformPool = this.pool('carillon_platform', options.poolSize, `${LOOK_UPS_ONLY} ${NO_PARTITION_PRUNING}`);
    this.readingPool = this.pool(
      'carillon_platform',
      Math.min(options.poolSize, READING_CONNECTIONS),
      `${LOOK_UPS_ONLY} ${READ_ONLY}`,
    );
    this.healthPool = this.pool('carillon_platform', 1);
  }

  /** Everyday reads and writes of one tenant, through Prisma, in one transaction. */
  async forTenant<T>(tenantId: string, work: (prisma: PrismaScope) => Promise<T>): Promise<T> {
    checkTenantId(tenantId);
    this.tenantPrisma ??= new PrismaClient({ adapter: new PrismaPg(this.tenantPool) });
    const prisma = this.tenantPrisma;
    return await outageAsUnavailable(() =>
      prisma.$transaction(
        async (tx) => {
          await tx.$queryRaw`select set_config('app.tenant_id', ${tenantId}, true)`;
          return await work(tx);
        },
        { maxWait: CONNECT_TIMEOUT_MS, timeout: 2 * QUERY_TIMEOUT_MS },
      ),
    );
  }

  /** The same over all tenants: operator routes only. */
  async asPlatform<T>(work: (prisma: PrismaScope) => Promise<T>): Promise<T> {
    this.platformPrisma ??= new PrismaClient({ adapter: new PrismaPg(this.platformPool) });
    const prisma = this.platformPrisma;
    return await outageAsUnavailable(() =>
      prisma.$transaction(work, { maxWait: CONNECT_TIMEOUT_MS, timeout: 2 * QUERY_TIMEOUT_MS }),
    );
  }

  /** Raw SQL of one tenant in one transaction. */
  async sqlForTenant<T>(tenantId: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    checkTenantId(tenantId);
    // The id is a checked UUID; both statements travel in one round trip.
    return await this.transaction(this.tenantPool, `begin; set local app.tenant_id = '${tenantId}'`, work);
  }

  /**
   * Raw statements of one tenant in one transaction and one round trip: for statements that do not need each other's results.
   * Resolves with the rows of each.
   */
  async pipelineForTenant<Rows extends object[][]>(
    tenantId: string,
    statements: { [Index in keyof Rows]: Statement },
  ): Promise<Rows> {
    checkTenantId(tenantId);
    return await outageAsUnavailable(async () => {
      const query = new TenantQuery(tenantId, statements, columnParsers);
      const client = await this.tenantPool.connect();
      let broken = false;
      try {
        client.query(query);
        return (await query.done) as Rows;
      } catch (error) {
        // After a refused statement the connection is as good as new. After a time-out or a lost server it is not.
        broken = !(error instanceof pg.DatabaseError) || isOutage(error);
        throw error;
      } finally {
        client.release(broken);
      }
    });
  }

  /** One raw statement of one tenant in one round trip. */
  async queryForTenant<Row extends object>(tenantId: string, statement: Statement): Promise<Row[]> {
    const [rows] = await this.pipelineForTenant<[Row[]]>(tenantId, [statement]);
    return rows;
  }

  /** Raw SQL over all tenants in one transaction. Each statement may take 1.8 s, or `timeoutMs` where that is given: not for requests. */
  async sqlAsPlatform<T>(work: (sql: Sql) => Promise<T>, timeoutMs?: number): Promise<T> {
    if (timeoutMs === undefined) return await this.transaction(this.platformPool, 'begin', work);
    const begin = `begin; set local statement_timeout = ${timeoutMs}`;
    const patient = (sql: Sql): Sql => ({
      query: (statement) => sql.query({ ...statement, query_timeout: timeoutMs } as Statement),
    });
    return await this.transaction(this.platformPool, begin, (sql) => work(patient(sql)));
  }

  /** One raw statement over all tenants, committed by itself: the hot path. */
  readonly platform: Sql = {
    query: async <Row extends object>(statement: Statement): Promise<Row[]> =>
      await outageAsUnavailable(async () => (await this.platformPool.query<Row>(statement)).rows),
  };

  /** One raw statement over all tenants that only reads: hot look-ups in partitioned tables. */
  readonly platformReads: Sql = {
    query: async <Row extends object>(statement: Statement): Promise<Row[]> =>
      await outageAsUnavailable(async () => (await this.readingPool.query<Row>(statement)).rows),
  };

  /** Throws when the server cannot be reached within a second and a half. */
  async ping(): Promise<void> {
    await this.healthPool.query('select 1');
  }

  /** A connection outside every pool, for LISTEN and advisory locks. The caller ends it. */
  newClient(): pg.Client {
    return new pg.Client({
      connectionString: this.options.url,
      application_name: `${this.options.applicationName ?? 'carillon'}-listen`,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      options: `${IN_UTC} -c role=carillon_platform`,
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.tenantPrisma?.$disconnect(), this.platformPrisma?.$disconnect()]);
    await Promise.all(
      [this.tenantPool, this.platformPool, this.readingPool, this.healthPool].map((pool) =>
        pool.ended ? undefined : pool.end(),
      ),
    );
  }

  private async transaction<T>(pool: pg.Pool, begin: string, work: (sql: Sql) => Promise<T>): Promise<T> {
    return await outageAsUnavailable(async () => {
      const client = await pool.connect();
      let broken: Error | undefined;
      try {
        await client.query(begin);
        const result = await work({ query: async (statement) => (await client.query(statement)).rows });
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch((failure: Error) => {
          broken = failure;
        });
        throw error;
      } finally {
        client.release(broken);
      }
    });
  }

  private pool(role: string, size: number, planner = ''): pg.Pool {
    const pool = new pg.Pool({
      connectionString: this.options.url,
      application_name: this.options.applicationName ?? 'carillon',
      max: size,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: 60_000,
      query_timeout: QUERY_TIMEOUT_MS + ANSWER_MS,
      keepAlive: true,
      // Sent with the start-up packet: a connection never works as the login role.
      options: `${IN_UTC} ${this.options.events ? EVENTS_ON : ''} -c role=${role} -c statement_timeout=${QUERY_TIMEOUT_MS} -c idle_in_transaction_session_timeout=10000 -c jit=off ${planner}`,
      types: columnParsers,
    });
    // Without a listener an error on an idle connection (a server restart) ends the process.
    pool.on('error', (error) => this.options.onIdleError?.(error));
    // The same for a connection that is lost while a transaction holds it: the pool listens only to idle ones. What the
    // transaction waits for is rejected with the error.
    pool.on('connect', (client) => client.on('error', () => undefined));
    return pool;
  }
}

function checkTenantId(tenantId: string): void {
  if (!isId(tenantId)) throw new TypeError(`not a tenant id: ${JSON.stringify(tenantId)}`);
}

async function outageAsUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError || !isOutage(error)) throw error;
    throw unavailableOf(error);
  }
}
