// Runs the real apps of this source tree in this process, with their own database. Tests use them over HTTP. When it
// stops, it searches logs, metrics, traces and tables for the secrets, addresses and payloads that its tests have used.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { inject } from 'vitest';
import { type Config, loadConfig } from '#config';
import { Database, PlatformKeys, SecretBox } from '#database';
import { createLogger, useSpanSink } from '#telemetry';
import { cloneDatabase, connect } from '#testing';
import { startApi } from '../apps/api/src/start-api.js';
import { type RunningWorker, startWorker } from '../apps/worker/src/start-worker.js';
import { findLeaks } from './canary/find-leaks.js';
import { linesWithoutIds } from './canary/log-fields.js';
import { LogMemory } from './canary/log-memory.js';
import { spanMemory } from './canary/span-memory.js';
import { watched } from './canary/watched-values.js';
import { profileEnvironment } from './profiles.js';

export const MIGRATIONS = join(import.meta.dirname, '../prisma/migrations');

// biome-ignore lint/suspicious/noExplicitAny: answers are looked at field by field, where a wrong shape fails the test
export type Json = any;

export interface Answer {
  status: number;
  headers: Headers;
  body: Json;
}

export interface Tenant {
  id: string;
  apiKey: string;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Sends, expects 202 and returns the notification. */
  send(body: Record<string, unknown>, headers?: Record<string, string>): Promise<Json>;
  notification(id: string): Promise<Json>;
  delivery(id: string): Promise<Json>;
}

export interface TestEnvironment {
  url: string;
  config: Config;
  databaseUrl: string;
  /** The keys that hash API keys and sign tokens and links. */
  keys: PlatformKeys;
  /** A connection without row-level security, for checks. */
  sql: pg.Client;
  call(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Answer>;
  operator(method: string, path: string, body?: unknown): Promise<Answer>;
  tenant(settings?: Record<string, unknown>, key?: Record<string, unknown>): Promise<Tenant>;
  startWorker(environment?: Record<string, string>): Promise<RunningWorker>;
  /** The log lines so far, of all levels. */
  logs(): string;
  /** Secrets, addresses and payloads of the tests where they must not be: logs, metrics, traces, problems, tables. */
  leaks(): Promise<string[]>;
  stop(): Promise<void>;
}

export interface TestEnvironmentOptions {
  /** False starts the API only. */
  worker?: boolean;
  environment?: Record<string, string>;
  /** The port of a proxy in front of the database. The test's own connection does not use it. */
  through?: number;
}

const environment = (databaseUrl: string, home: string, more: Record<string, string> = {}): Record<string, string> => ({
  NODE_ENV: 'test',
  DATABASE_URL: databaseUrl,
  CARILLON_HOME: home,
  HOST: '127.0.0.1',
  PORT: '0',
  METRICS_PORT: '0',
  LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'error',
  SANDBOX_FALLBACK: 'true',
  ...profileEnvironment(databaseUrl),
  ...more,
});

export async function startTestEnvironment(options: TestEnvironmentOptions = {}): Promise<TestEnvironment> {
  const { url: databaseUrl, drop } = await cloneDatabase(inject('postgresUrl'));
  const home = await mkdtemp(join(tmpdir(), 'carillon-test-'));
  const productUrl = new URL(databaseUrl);
  if (options.through !== undefined) productUrl.port = String(options.through);
  const config = loadConfig(environment(productUrl.href, home, options.environment));
  const logs = new LogMemory(config.logLevel);
  const logger = createLogger({ level: 'trace', role: 'test', destination: logs });
  watched.watchSecret(config.adminToken);
  watched.watchSecret(config.masterKey.toString('hex'));
  useSpanSink(spanMemory);
  const parts = { logger, migrationsDirectory: MIGRATIONS };
  const api = await startApi(config, { ...parts, metricsFallback: true });
  const running: { stop(): Promise<void> }[] = [];
  const run = async (more: Record<string, string> = {}): Promise<RunningWorker> => {
    const worker = await startWorker(
      loadConfig(environment(productUrl.href, home, { ...options.environment, ...more })),
      {
        ...parts,
        operations: false,
      },
    );
    running.push(worker);
    return {
      ...worker,
      stop: async () => {
        running.splice(running.indexOf(worker), 1);
        await worker.stop();
      },
    };
  };
  if (options.worker !== false) await run();
  const sql = await connect(databaseUrl);
  const database = new Database({ url: databaseUrl, poolSize: 1 });
  const keys = new PlatformKeys(database, new SecretBox(config.masterKey));
  await keys.prepare();
  const call: TestEnvironment['call'] = (method, path, request) => http(api.url, method, path, request);
  const operator: TestEnvironment['operator'] = (method, path, body) =>
    call(method, path, { body, headers: { 'X-Admin-Token': config.adminToken } });
  const leaks = async (): Promise<string[]> => {
    const metrics = await fetch(`http://127.0.0.1:${api.operationsPort}/metrics`);
    return await findLeaks({ logs: logs.text(), metrics: await metrics.text(), traces: spanMemory.text(), sql });
  };
  return {
    url: api.url,
    config,
    databaseUrl,
    keys,
    sql,
    call,
    operator,
    tenant: async (settings = {}, key = {}) => {
      const created = await operator('POST', '/internal/tenants', {
        name: 'Test',
        settings: { requests_per_minute: 1_000_000, ...settings },
      });
      const made = await operator('POST', `/internal/tenants/${created.body.id}/api-keys`, { name: 'Test', ...key });
      if (made.status !== 201)
        throw new Error(`no tenant: ${created.status} ${JSON.stringify(created.body)}, no key: ${made.status}`);
      return tenantWith(call, created.body.id, made.body.api_key);
    },
    startWorker: run,
    logs: () => logs.text(),
    leaks,
    stop: async () => {
      for (const worker of [...running]) await worker.stop();
      const found = await leaks();
      const incomplete = linesWithoutIds(logs.text());
      await api.stop();
      await sql.end();
      await database.close();
      await drop();
      await rm(home, { recursive: true, force: true });
      if (incomplete.length > 0) throw new Error(`log lines without tenant_id or trace_id:\n${incomplete.join('\n')}`);
      if (found.length > 0) throw new Error(`${found.length} leaks:\n${found.slice(0, 20).join('\n')}`);
    },
  };
}

export function tenantWith(call: TestEnvironment['call'], id: string, apiKey: string): Tenant {
  const ask: Tenant['call'] = (method, path, body, headers = {}) =>
    call(method, path, { body, headers: { 'X-API-Key': apiKey, ...headers } });
  return {
    id,
    apiKey,
    call: ask,
    send: async (body, headers) => {
      const answer = await ask('POST', '/api/v1/notifications', body, headers);
      if (answer.status !== 202) throw new Error(`expected 202, got ${answer.status}: ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
    notification: async (wanted) => (await ask('GET', `/api/v1/notifications/${wanted}`)).body,
    delivery: async (wanted) => (await ask('GET', `/api/v1/deliveries/${wanted}`)).body,
  };
}

export async function http(
  base: string,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const named = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const response = await fetch(base + path, {
    method,
    headers: { ...(body !== undefined && !named && { 'Content-Type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  watched.watchRequest(body);
  if (response.status >= 400) watched.checkProblem(JSON.stringify([path, headers, body]), text);
  const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text };
}

/** Inline content, for sends without a template. */
export const CONTENT = {
  email: { subject: 'Hello', text: 'Hello there' },
  in_app: { title: 'Hello', body: 'Hello there' },
  sms: { text: 'Hello there' },
} as const;

/** An e-mail to an address of the simulator, with a new recipient. */
export function simulated(word: string, recipientId = `person-${word}`): Record<string, unknown> {
  return {
    recipient_id: recipientId,
    channel: 'email',
    recipient_address: `${word}@simulator.test`,
    content: CONTENT.email,
  };
}
