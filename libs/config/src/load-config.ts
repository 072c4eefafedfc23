import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { channelIds, validationMessage } from '#domain';
import {
  connectionFaults,
  connectionWarnings,
  type KafkaConfig,
  kafkaOf,
  type RedisConfig,
  redisOf,
} from './connection-settings.js';
import { type ConsoleConfig, consoleFaults, consoleOf } from './console-settings.js';
import { localSecrets, secretsFile } from './local-secrets.js';
import { concurrencySetting, type SettingName, type Settings, secretSettings, settingsSchema } from './schema.js';
import { type TracingConfig, tracingOf } from './tracing-settings.js';
import { isWeakSecret, tooRegular, weakTokenFault } from './weak-secret.js';

export interface Config {
  readonly production: boolean;
  /** Weak settings in production, for the log of the start. */
  readonly warnings: readonly string[];
  readonly embedded: boolean;
  readonly databaseUrl: string;
  /** Undefined: the logins that migrations create. */
  readonly databaseLogins: { readonly tenant: string; readonly platform: string } | undefined;
  readonly databasePoolSize: number;
  /** Undefined: limits and hints use PostgreSQL. */
  readonly redis: RedisConfig | undefined;
  /** Undefined: a worker processes the deliveries that it claims, and events go only to webhook endpoints. */
  readonly kafka: KafkaConfig | undefined;
  readonly port: number;
  readonly host: string;
  /** Without a trailing slash. */
  readonly publicUrl: string | undefined;
  readonly egressAllowedCidrs: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly internalPort: number | undefined;
  readonly internalHost: string;
  readonly metricsPort: number | undefined;
  readonly metricsHost: string;
  readonly metricsTenants: number;
  readonly adminToken: string;
  /** The file that contains the admin token. Undefined if ADMIN_TOKEN sets it. */
  readonly adminTokenFile: string | undefined;
  /** Accepted beside `adminToken`. */
  readonly previousAdminToken: string | undefined;
  /** 32 bytes. */
  readonly masterKey: Buffer;
  /** Open secrets beside `masterKey`. */
  readonly previousMasterKeys: readonly Buffer[];
  /** Absolute path. */
  readonly home: string;
  readonly logLevel: Settings['LOG_LEVEL'];
  /** Undefined: no traces. The exporter reads its own OTEL_* variables. */
  readonly tracing: TracingConfig | undefined;
  readonly console: ConsoleConfig;
  readonly pages: boolean;
  readonly sandboxFallback: boolean;
  readonly leaseSeconds: number;
  readonly webhookEndpointsPerTenant: number;
  /** Undefined: derived from the number of cores. */
  readonly renderThreads: number | undefined;
  readonly retentionDays: number;
  readonly auditRetentionDays: number;
  readonly workerChannels: Settings['WORKER_CHANNELS'];
  readonly concurrency: Readonly<Record<Settings['WORKER_CHANNELS'][number], number>>;
}

/** All errors of the environment, one line per variable. */
export class ConfigError extends Error {
  constructor(readonly faults: readonly string[]) {
    const count = faults.length === 1 ? 'one setting is' : `${faults.length} settings are`;
    const lines = faults.map((fault) => `  ${fault}`).join('\n');
    super(`Carillon cannot start, ${count} wrong:\n${lines}\ndocs/configuration.md explains every setting.`);
    this.name = 'ConfigError';
  }
}

const NO_DATABASE =
  'DATABASE_URL: is needed by `npm run api`, `npm run worker` and `npm run migrate`; only `npm start` has an ' +
  'embedded PostgreSQL';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads and checks the whole environment at once.
 *
 * `embeddedDatabaseUrl` replaces an unset DATABASE_URL when `npm start` has started an embedded PostgreSQL. Throws
 * {@link ConfigError}, which names every invalid variable.
 */
export function loadConfig(environment: Environment = process.env, embeddedDatabaseUrl?: string): Config {
  const { settings, faults } = readSettings(environment);
  if (!settings) throw new ConfigError(faults);

  const production = isProduction(settings);
  const databaseUrl = settings.DATABASE_URL ?? embeddedDatabaseUrl;
  if (!databaseUrl) faults.push(NO_DATABASE);
  if (production) faults.push(...weakSecrets(settings));
  faults.push(...missingCompanions(settings));
  if (faults.length > 0) throw new ConfigError(faults);

  const home = resolve(settings.CARILLON_HOME);
  const embedded = settings.DATABASE_URL === undefined;
  // The file of generated secrets is not created when both are set.
  const generated = settings.ADMIN_TOKEN && settings.MASTER_KEY ? undefined : localSecrets(home);
  const each = settings.WORKER_CONCURRENCY;
  return Object.freeze({
    production,
    warnings: Object.freeze(production ? connectionWarnings(settings) : []),
    embedded,
    databaseUrl: databaseUrl!,
    databaseLogins: databaseLoginsOf(settings),
    databasePoolSize: settings.DATABASE_POOL_SIZE,
    redis: redisOf(settings),
    kafka: kafkaOf(settings),
    port: settings.PORT,
    host: settings.HOST ?? (embedded ? '127.0.0.1' : '0.0.0.0'),
    publicUrl: settings.PUBLIC_URL,
    egressAllowedCidrs: settings.EGRESS_ALLOWED_CIDRS ?? (production ? [] : ['127.0.0.0/8', '::1/128']),
    trustedProxies: settings.TRUSTED_PROXIES ?? [],
    internalPort: settings.INTERNAL_PORT,
    internalHost: settings.INTERNAL_HOST,
    metricsPort: settings.METRICS_PORT,
    metricsHost: settings.METRICS_HOST,
    metricsTenants: settings.METRICS_TENANTS,
    adminToken: settings.ADMIN_TOKEN ?? generated!.adminToken,
    adminTokenFile: settings.ADMIN_TOKEN ? undefined : secretsFile(home),
    previousAdminToken: settings.ADMIN_TOKEN_PREVIOUS,
    masterKey: settings.MASTER_KEY ?? Buffer.from(generated!.masterKey, 'hex'),
    previousMasterKeys: settings.MASTER_KEY_PREVIOUS ?? [],
    home,
    logLevel: settings.LOG_LEVEL,
    tracing: tracingOf(settings, environment),
    console: consoleOf(settings),
    pages: settings.DEMO_PAGES_ENABLED ?? embedded,
    sandboxFallback: settings.SANDBOX_FALLBACK ?? embedded,
    leaseSeconds: settings.LEASE_SECONDS,
    webhookEndpointsPerTenant: settings.WEBHOOK_ENDPOINTS_PER_TENANT,
    renderThreads: settings.RENDER_THREADS,
    retentionDays: settings.RETENTION_DAYS,
    auditRetentionDays: settings.AUDIT_RETENTION_DAYS,
    workerChannels: settings.WORKER_CHANNELS,
    concurrency: Object.freeze(
      Object.fromEntries(channelIds.map((channel) => [channel, settings[concurrencySetting(channel)] ?? each])),
    ) as Config['concurrency'],
  });
}

/** The errors of an environment, without loading it. `npm start` checks them before it starts a database. */
export function settingFaults(environment: Environment = process.env): string[] {
  const { settings, faults } = readSettings(environment);
  if (!settings) return faults;
  return [...faults, ...(isProduction(settings) ? weakSecrets(settings) : []), ...missingCompanions(settings)];
}

/** The database, for a command that needs no secrets. Throws {@link ConfigError}. */
export function loadDatabaseConfig(
  environment: Environment = process.env,
): Pick<Config, 'databaseUrl' | 'databaseLogins'> {
  const { settings, faults } = readSettings(environment);
  if (settings) faults.push(...(settings.DATABASE_URL ? [] : [NO_DATABASE]), ...missingCompanions(settings));
  if (!settings?.DATABASE_URL || faults.length > 0) throw new ConfigError(faults);
  return { databaseUrl: settings.DATABASE_URL, databaseLogins: databaseLoginsOf(settings) };
}

/** Whether the database is embedded, and CARILLON_HOME. Needed before the other settings can be loaded. */
export function profileOf(environment: Environment = process.env): { embedded: boolean; home: string } {
  return { embedded: !environment.DATABASE_URL, home: resolve(environment.CARILLON_HOME || '.carillon') };
}

function readSettings(environment: Environment): { settings?: Settings; faults: string[] } {
  const names = Object.keys(settingsSchema.shape) as SettingName[];
  // An empty variable counts as unset, because compose files and CI systems turn missing values into empty ones.
  const given = Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
  const renamed = Object.entries(RENAMED_SETTINGS).flatMap(([before, now]) =>
    environment[before] ? [`${before}: is called ${now} now`] : [],
  );
  const parsed = settingsSchema.safeParse(given, { error: validationMessage });
  if (parsed.success) return { settings: parsed.data, faults: renamed };
  const invalid = parsed.error.issues.map((issue) => {
    const name = issue.path[0] as SettingName;
    const got = isShown(name, given[name]!) ? `, got ${JSON.stringify(given[name])}` : '';
    return `${name}: ${issue.message}${got}`;
  });
  return { faults: [...renamed, ...invalid] };
}

/** Whether a message may have the value. One that is not a file may be the text of a private key, set by mistake. */
function isShown(name: SettingName, value: string): boolean {
  if (secretSettings.includes(name)) return false;
  return !/_TLS_(CERT|KEY)_FILE$/.test(name) || existsSync(value);
}

/** Names of an earlier release. Ignoring one would silently open the demo pages or close the egress. */
const RENAMED_SETTINGS: Readonly<Record<string, SettingName>> = {
  PAGES: 'DEMO_PAGES_ENABLED',
  KAFKA_REQUESTS: 'KAFKA_INTAKE_ENABLED',
  EGRESS_ALLOW: 'EGRESS_ALLOWED_CIDRS',
};

function databaseLoginsOf({ TENANT_DATABASE_URL, PLATFORM_DATABASE_URL }: Settings): Config['databaseLogins'] {
  if (!TENANT_DATABASE_URL || !PLATFORM_DATABASE_URL) return undefined;
  return Object.freeze({ tenant: TENANT_DATABASE_URL, platform: PLATFORM_DATABASE_URL });
}

/** Settings that need another one which is missing. */
function missingCompanions(settings: Settings): string[] {
  const faults: string[] = [];
  const logins = ['TENANT_DATABASE_URL', 'PLATFORM_DATABASE_URL'] as const;
  const [missing] = logins.filter((name) => !settings[name]);
  if (missing && logins.some((name) => settings[name]))
    faults.push(`${missing}: is needed with the other one of the two`);
  return [...faults, ...connectionFaults(settings), ...consoleFaults(settings, isProduction(settings))];
}

/** Without NODE_ENV everything is production but `npm start` on its embedded PostgreSQL. */
function isProduction({ NODE_ENV, DATABASE_URL }: Settings): boolean {
  return (NODE_ENV ?? (DATABASE_URL === undefined ? 'development' : 'production')) === 'production';
}

/** MASTER_KEY_PREVIOUS may be weak: otherwise a weak key of an earlier release could not be replaced. */
function weakSecrets(settings: Settings): string[] {
  const faults: string[] = [];
  const missing = 'must be set in production (NODE_ENV=development generates one)';
  if (!settings.MASTER_KEY) faults.push(`MASTER_KEY: ${missing}`);
  else if (isWeakSecret(settings.MASTER_KEY)) faults.push(`MASTER_KEY: ${tooRegular('openssl rand -hex 32')}`);
  if (!settings.ADMIN_TOKEN) faults.push(`ADMIN_TOKEN: ${missing}`);
  for (const name of ['ADMIN_TOKEN', 'ADMIN_TOKEN_PREVIOUS'] as const) {
    const fault = settings[name] && weakTokenFault(settings[name]);
    if (fault) faults.push(`${name}: ${fault}`);
  }
  return faults;
}
