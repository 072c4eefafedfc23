import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { DomainError, isId } from '#domain';
import { columnParsers } from './column-parsers.js';
import {
  CLIENT_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  createClient,
  createPool,
  QUERY_TIMEOUT_MS,
} from './connection-pool.js';
import { type Prisma, PrismaClient } from './generated/client.js';
import { derivedUrls, type LoginUrls, rightsFault } from './logins.js';
import { isOutage, unavailableOf } from './outage.js';
import { refuseOldServer, SERVER_VERSION, type ServerVersion } from './server-version.js';
import type { Sql, Statement } from './statement.js';
import { TenantQuery } from './tenant-query.js';

export type PrismaScope = Prisma.TransactionClient;

export interface DatabaseOptions {
  /** The URL of migrations. Its user never works here: it names the server and the logins. */
  url: string;
  /** Logins that the operator created. Undefined: those that migrations create. */
  logins?: LoginUrls | undefined;
  /** Connections per login. */
  poolSize: number;
  /** Called with each error on an idle connection: the server closed it. */
  onIdleError?: (error: Error) => void;
  applicationName?: string;
  /** Whether statements write events. False if nothing reads them (EventsStore). */
  events?: boolean;
}

/**
 * A statement is committed or rolled back within this time after its transaction began, unless the transaction has
 * several statements or its commit is slow.
 */
export const COMMIT_GRACE_MS = CLIENT_TIMEOUT_MS;
/** Time limit of a scan of a whole queue: about a hundred million dead index entries. */
export const RESCAN_TIMEOUT_MS = 60_000;

/** A worker runs at most four statements of {@link Database.platformReads} at a time. */
const READING_CONNECTIONS = 4;

/**
 * Access to Postgres in two scopes, each with a login of its own (docs/adr/0027). Tenant connections have the rights of
 * `carillon_tenant` and see no rows until the transaction sets the tenant's id. Platform connections have the rights of
 * `carillon_platform` and see all tenants; the callers of `asPlatform`, `sqlAsPlatform` and `platform` are listed in
 * test/architecture.spec.ts.
 *
 * All methods but `ping` throw `unavailable` during an outage of the database.
 */
export class Database {
  private readonly tenantPool: pg.Pool;
  private readonly platformPool: pg.Pool;
  private readonly readingPool: pg.Pool;
  /** A separate connection, so that health checks respond while the other pools are busy. */
  private readonly healthPool: pg.Pool;
  private readonly urls: LoginUrls;
  private areLoginsChecked = false;
  private tenantPrisma: PrismaClient | undefined;
  private platformPrisma: PrismaClient | undefined;

  constructor(private readonly options: DatabaseOptions) {
    const { poolSize } = options;
    this.urls = options.logins ?? derivedUrls(options.url);
    const { tenant, platform } = this.urls;
    this.tenantPool = createPool(tenant, options, 'write', poolSize);
    this.platformPool = createPool(platform, options, 'write', poolSize);
    this.readingPool = createPool(platform, options, 'read', Math.min(poolSize, READING_CONNECTIONS));
    this.healthPool = createPool(platform, options, 'health', 1);
  }

  /** Reads and writes of one tenant through Prisma, in one transaction. */
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

  /** Reads and writes of all tenants through Prisma, in one transaction: for operator routes only. */
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
    const begin = async (client: pg.PoolClient): Promise<void> => {
      const query = TenantQuery.begin(tenantId, columnParsers);
      client.query(query);
      await query.done;
    };
    return await this.transaction(this.tenantPool, begin, work);
  }

  /**
   * Raw statements of one tenant in one transaction and one round trip, for statements that do not need each other's
   * results. Resolves with the rows of each.
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
        // A connection can be used again after a rejected statement, but not after a time-out or a lost server.
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

  /**
   * Raw SQL over all tenants in one transaction. Each statement may take 1.8 s, or `timeoutMs`; requests must not set
   * a longer time.
   */
  async sqlAsPlatform<T>(work: (sql: Sql) => Promise<T>, timeoutMs?: number, isReadOnly = false): Promise<T> {
    const pool = isReadOnly ? this.readingPool : this.platformPool;
    const begin = async (client: pg.PoolClient): Promise<void> => {
      await client.query('begin');
      if (timeoutMs !== undefined) await client.query(`set local statement_timeout = ${timeoutMs}`);
    };
    if (timeoutMs === undefined) return await this.transaction(pool, begin, work);
    const withTimeout = (sql: Sql): Sql => ({
      query: (statement) => sql.query({ ...statement, query_timeout: timeoutMs } as Statement),
    });
    return await this.transaction(pool, begin, (sql) => work(withTimeout(sql)));
  }

  /** One raw statement over all tenants in its own transaction: the hot path. */
  readonly platform: Sql = {
    query: async <Row extends object>(statement: Statement): Promise<Row[]> =>
      await outageAsUnavailable(async () => (await this.platformPool.query<Row>(statement)).rows),
  };

  /** One raw read-only statement over all tenants: hot look-ups in partitioned tables. */
  readonly platformReads: Sql = {
    query: async <Row extends object>(statement: Statement): Promise<Row[]> =>
      await outageAsUnavailable(async () => (await this.readingPool.query<Row>(statement)).rows),
  };

  /** Throws if the server cannot be reached within 1.5 s, does not admit the platform's login, or is too old. */
  async ping(): Promise<void> {
    const { rows } = await this.healthPool.query<ServerVersion>(SERVER_VERSION);
    refuseOldServer(rows[0]!);
  }

  /**
   * Describes a login that has too many or too few rights; null if both are right. Throws if the server does not admit
   * one of them. Does not ask again once both are right, because tenant connections may be busy.
   */
  async loginFault(): Promise<string | null> {
    if (this.areLoginsChecked) return null;
    const fault =
      (await rightsFault(this.tenantPool, 'carillon_tenant', 'carillon_platform')) ??
      (await rightsFault(this.healthPool, 'carillon_platform', 'carillon_tenant'));
    this.areLoginsChecked = fault === null;
    return fault;
  }

  /** How many connections of each pool are in use, and how many requests wait for one. */
  connections(): { pool: string; used: number; idle: number; waiting: number; max: number }[] {
    const pools = { tenant: this.tenantPool, platform: this.platformPool, reading: this.readingPool };
    return Object.entries(pools).map(([pool, { totalCount, idleCount, waitingCount, options }]) => {
      return { pool, used: totalCount - idleCount, idle: idleCount, waiting: waitingCount, max: options.max };
    });
  }

  /** A connection outside the pools, for LISTEN and advisory locks. The caller ends it. */
  newClient(): pg.Client {
    return createClient(this.urls.platform, this.options);
  }

  async close(): Promise<void> {
    await Promise.all([this.tenantPrisma?.$disconnect(), this.platformPrisma?.$disconnect()]);
    await Promise.all(
      [this.tenantPool, this.platformPool, this.readingPool, this.healthPool].map((pool) =>
        pool.ended ? undefined : pool.end(),
      ),
    );
  }

  private async transaction<T>(
    pool: pg.Pool,
    begin: (client: pg.PoolClient) => Promise<void>,
    work: (sql: Sql) => Promise<T>,
  ): Promise<T> {
    return await outageAsUnavailable(async () => {
      const client = await pool.connect();
      let broken: Error | undefined;
      try {
        await begin(client);
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
