// The measured product: its built processes, with their own PostgreSQL and data directory.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { InboxTokens } from '../../dist/apps/api/src/access/inbox-tokens.js';
import { Database, migrate, PlatformKeys, SecretBox } from '../../dist/libs/database/src/index.js';
import { hashSecret, newApiKey, scopes } from '../../dist/libs/domain/src/index.js';
import { startEmbeddedPostgres } from '../../dist/libs/embedded-postgres/src/index.js';
import { freePort } from '../../services/programs.ts';
import type { LoadOrder, LoadResult } from './load.ts';

const ROOT = join(import.meta.dirname, '../..');
/** The admin token of every API of a run. */
export const ADMIN_TOKEN = randomBytes(24).toString('hex');

export interface BenchTenant {
  id: string;
  apiKey: string;
}

export interface BenchEnvironmentOptions {
  settings?: Record<string, string>;
  environment?: Record<string, string>;
}

export class BenchEnvironment {
  readonly sql: pg.Client;
  readonly databaseUrl: string;
  private readonly children: ChildProcess[] = [];
  private readonly home: string;
  private readonly masterKey: Buffer;
  private readonly stopPostgres: () => Promise<void>;
  private readonly database: Database;
  private readonly keys: PlatformKeys;
  private environment: Record<string, string> = {};

  // Node runs this file by stripping its types, which excludes parameter properties.
  private constructor(databaseUrl: string, home: string, masterKey: Buffer, stopPostgres: () => Promise<void>) {
    this.databaseUrl = databaseUrl;
    this.home = home;
    this.masterKey = masterKey;
    this.stopPostgres = stopPostgres;
    this.sql = new pg.Client({ connectionString: databaseUrl });
    this.database = new Database({ url: databaseUrl, poolSize: 1 });
    this.keys = new PlatformKeys(this.database, new SecretBox(masterKey));
  }

  /**
   * Starts PostgreSQL with default settings (fsync and synchronous commit on). Every process that is started until `close`,
   * PostgreSQL included, gets `environment`.
   */
  static async open({ settings, environment }: BenchEnvironmentOptions = {}): Promise<BenchEnvironment> {
    Object.assign(process.env, environment);
    const home = mkdtempSync(join(tmpdir(), 'carillon-bench-'));
    chmodSync(home, 0o755);
    const postgres = await startEmbeddedPostgres({
      directory: join(home, 'postgres'),
      database: 'carillon',
      settings: { max_wal_size: '4GB', ...settings },
    });
    const product = new BenchEnvironment(postgres.url('carillon'), home, randomBytes(32), () => postgres.stop());
    product.environment = environment ?? {};
    await migrate(product.databaseUrl, join(ROOT, 'prisma/migrations'));
    await product.sql.connect();
    await product.keys.prepare();
    return product;
  }

  /** Starts `api` or `worker` and resolves with its port once it is ready. `cpuProfile`: a folder for a profile. */
  async start(
    app: 'api' | 'worker',
    environment: Record<string, string> = {},
    cpuProfile?: string,
  ): Promise<{ port: number; pid: number; stop: () => Promise<void>; kill: () => Promise<void> }> {
    const [port, metricsPort] = [await freePort(), await freePort()];
    const child = spawn(
      process.execPath,
      [
        ...(cpuProfile ? ['--cpu-prof', `--cpu-prof-dir=${cpuProfile}`] : []),
        join(ROOT, `dist/apps/${app}/src/main.js`),
      ],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          ...process.env,
          NODE_ENV: 'production',
          DATABASE_URL: this.databaseUrl,
          MASTER_KEY: this.masterKey.toString('hex'),
          ADMIN_TOKEN,
          CARILLON_HOME: this.home,
          HOST: '127.0.0.1',
          PORT: String(port),
          METRICS_PORT: String(metricsPort),
          LOG_LEVEL: 'warn',
          SANDBOX_FALLBACK: 'true',
          ...environment,
        },
      },
    );
    this.children.push(child);
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('Carillon is ready')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`${app} ended with ${code}: ${output.slice(-2_000)}`)));
    });
    child.stdout!.on('data', (chunk: Buffer) => process.env.BENCH_LOG && process.stderr.write(chunk));
    const end = (signal: NodeJS.Signals): Promise<void> =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill(signal);
      });
    return {
      port: Number(environment['PORT'] ?? port),
      pid: child.pid!,
      stop: () => end('SIGTERM'),
      kill: () => end('SIGKILL'),
    };
  }

  /** Creates a tenant with a key, the templates of the scenarios and so many recipients. */
  async tenant(recipients: number): Promise<BenchTenant> {
    const id = uuid7();
    const key = newApiKey('live');
    await this.sql.query(
      `insert into tenants (id, name, settings)
       values ($1, 'Bench', '{"requests_per_minute": 10000000, "recipient_requests_per_minute": 10000000}')`,
      [id],
    );
    await this.sql.query(
      'insert into api_keys (tenant_id, id, key_id, secret_hash, name, mode, scopes) values ($1, $2, $3, $4, $5, $6, $7)',
      [id, uuid7(), key.keyId, hashSecret(this.keys.apiKeyPepper, key.secret), 'Bench', 'live', [...scopes]],
    );
    await this.sql.query(
      `insert into recipients (tenant_id, id, email) select $1, 'user-' || n, 'user-' || n || '@example.com' from generate_series(0, $2 - 1) n`,
      [id, recipients],
    );
    for (const [channel, content] of [
      [
        'email',
        {
          subject: 'Welcome, {{name}}',
          html: '<h1>Welcome, {{name}}</h1><p>Good to have you.</p>',
          text: 'Welcome, {{name}}. Good to have you.',
        },
      ],
      ['in_app', { title: 'Welcome, {{name}}', body: 'Good to have you.' }],
    ] as const) {
      const templateId = uuid7();
      await this.sql.query(
        `insert into templates (tenant_id, id, key, channel, locale, version) values ($1, $2, 'welcome', $3, 'en', 1)`,
        [id, templateId, channel],
      );
      await this.sql.query(
        'insert into template_versions (tenant_id, template_id, version, content) values ($1, $2, 1, $3)',
        [id, templateId, JSON.stringify(content)],
      );
    }
    return { id, apiKey: key.text };
  }

  /** Writes a file with these lines, such as values for the load generator. */
  file(name: string, lines: string[]): string {
    const file = join(this.home, name);
    writeFileSync(file, lines.join('\n'));
    return file;
  }

  /** Writes a file with one inbox token per line, for `user-0`, `user-1`, … */
  async tokens(tenant: BenchTenant, recipients: number): Promise<string> {
    // The compiler takes the class of dist/ and the one of the source for different types.
    const tokens = new InboxTokens(this.keys as never);
    const lines: string[] = [];
    const claims = { tenantId: tenant.id, ttlSeconds: 3_600, keyId: null, revocation: 0 };
    for (let index = 0; index < recipients; index += 1)
      lines.push(await tokens.mint({ ...claims, recipientId: `user-${index}`, scopes: ['inbox:read', 'inbox:write'] }));
    return this.file('tokens', lines);
  }

  async count(text: string, values: unknown[] = []): Promise<number> {
    return Number((await this.sql.query(text, values)).rows[0].count);
  }

  /** A new connection as the owner of the database. The caller ends it. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.databaseUrl });
    await client.connect();
    return client;
  }

  /** Truncates the tables that a run writes, so that the next run starts from the same state. */
  async clean(): Promise<void> {
    await this.sql.query(
      'truncate notifications, deliveries, due_deliveries, attempts, delivery_log, idempotency_keys, dead_letters, inbox_items, inbox_counters, mailbox_messages, rate_windows, events',
    );
    await this.sql.query('vacuum analyze due_deliveries');
    await this.sql.query('checkpoint');
  }

  async close(): Promise<void> {
    for (const child of this.children) if (child.exitCode === null) child.kill('SIGKILL');
    await this.sql.end();
    await this.database.close();
    await this.stopPostgres();
    for (const name of Object.keys(this.environment)) delete process.env[name];
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Runs the load generator in a separate process. */
export async function load(order: LoadOrder): Promise<LoadResult> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'load.ts'), JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  return JSON.parse(output) as LoadResult;
}

export function uuid7(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
