import { z } from 'zod';
import { type ChannelId, channelIds } from '#domain';
import { connectionSettings } from './connection-settings.js';
import { consoleSettings } from './console-settings.js';
import {
  channelList,
  cidrList,
  concurrency,
  databaseUrl,
  days,
  flag,
  masterKey,
  masterKeyList,
  port,
  positive,
  tenantSeries,
} from './setting-formats.js';
import { tracingSettings } from './tracing-settings.js';

/**
 * Every setting of Carillon, with a description. `npm run docs` generates `docs/configuration.md` and `.env.example`
 * from this file. Credentials of vendors are data of tenants, not settings.
 */

/** The setting that overrides WORKER_CONCURRENCY for one channel. */
export function concurrencySetting<Id extends ChannelId>(channel: Id): `WORKER_${Uppercase<Id>}_CONCURRENCY` {
  return `WORKER_${channel.toUpperCase() as Uppercase<Id>}_CONCURRENCY`;
}

const channelConcurrency = Object.fromEntries(
  channelIds.map((channel) => [
    concurrencySetting(channel),
    concurrency.optional().describe(`WORKER_CONCURRENCY of the channel \`${channel}\`.`),
  ]),
) as Record<ReturnType<typeof concurrencySetting<ChannelId>>, z.ZodOptional<typeof concurrency>>;

export const settingsSchema = z.object({
  NODE_ENV: z
    .enum(['development', 'production', 'test'])
    .optional()
    .describe(
      '`production` refuses missing or weak secrets, requests to private networks and accounts with an `endpoint`. ' +
        'Default: `development` in the embedded profile, which is `npm start` without DATABASE_URL; `production` ' +
        'otherwise.',
    ),
  DATABASE_URL: databaseUrl
    .optional()
    .describe('The PostgreSQL server (15 or newer). Unset: `npm start` runs an embedded one under CARILLON_HOME.'),
  TENANT_DATABASE_URL: databaseUrl
    .optional()
    .describe(
      'A login that you created for the work of one tenant, a member of `carillon_tenant` only. Unset: ' +
        '`npm run migrate` creates one with a password derived from that of DATABASE_URL (docs/architecture.md#roles).',
    ),
  PLATFORM_DATABASE_URL: databaseUrl
    .optional()
    .describe('The same for the work of all tenants, a member of `carillon_platform` only.'),
  DATABASE_POOL_SIZE: positive
    .min(2, 'must be at least 2')
    .max(500)
    .default(10)
    .describe(
      'Connections that each process may open as a tenant, and again as the platform. Reads use up to four more. At ' +
        'least 2: a job keeps one while others store its parts.',
    ),
  ...connectionSettings,
  PORT: port.default(8080).describe('The port of the API.'),
  HOST: z
    .string()
    .min(1)
    .optional()
    .describe('The address the API listens on. Default 127.0.0.1 in the embedded profile, 0.0.0.0 otherwise.'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://notify.example.com' })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional()
    .describe(
      'The URL at which vendors and mail clients reach the API. Receipts and one-click unsubscribe need it. ' +
        'Unset: messages are sent without both.',
    ),
  EGRESS_ALLOWED_CIDRS: cidrList
    .optional()
    .describe(
      'Private address ranges that providers and webhooks may use, also over http and on any port, in CIDR ' +
        'notation, comma-separated. Default: loopback outside production, none in production.',
    ),
  TRUSTED_PROXIES: cidrList
    .optional()
    .describe(
      'Address ranges of your load balancers and proxies, in CIDR notation, comma-separated. The address of a client ' +
        'is then the last one in `X-Forwarded-For` that is not in these ranges. Default: none; the header is ' +
        'ignored, and all requests through a proxy share its address.',
    ),
  INTERNAL_PORT: port.optional().describe('A separate port for `/internal`. The main port then answers 404 there.'),
  INTERNAL_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('The address of the listener on INTERNAL_PORT. 0.0.0.0: all networks; the image sets it.'),
  METRICS_PORT: port
    .optional()
    .describe('The port for `/metrics`, `/livez` and `/readyz`. Default: 9090 for the API, 9091 for the worker.'),
  METRICS_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('The address of the listener on METRICS_PORT. 0.0.0.0: all networks; the image sets it.'),
  METRICS_TENANTS: tenantSeries.describe('How many of the busiest tenants have metrics of their own. 0: none.'),
  ADMIN_TOKEN: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The operator's token for `/internal`, 32 random bytes or more. Outside production one is generated and kept" +
        ' under CARILLON_HOME.',
    ),
  ADMIN_TOKEN_PREVIOUS: z
    .string()
    .min(1)
    .optional()
    .describe('Accepted beside ADMIN_TOKEN, for the time of a rotation (docs/secrets.md).'),
  MASTER_KEY: masterKey
    .optional()
    .describe(
      '32 random bytes that encrypt the secrets in the database, as hexadecimal or base64. Outside production a key ' +
        'is generated and kept under CARILLON_HOME.',
    ),
  MASTER_KEY_PREVIOUS: masterKeyList
    .optional()
    .describe(
      'Further master keys, comma-separated, that open secrets but seal none, for the time of a rotation ' +
        '(docs/secrets.md).',
    ),
  CARILLON_HOME: z
    .string()
    .min(1)
    .default('.carillon')
    .describe('Directory of the embedded database, the generated secrets and the spool.'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe(
      'Lowest level that is logged, as JSON lines on standard output. Successful requests are logged at `debug`.',
    ),
  ...tracingSettings,
  ...consoleSettings,
  DEMO_PAGES_ENABLED: flag
    .optional()
    .describe(
      '`true` serves `/mailbox` and `/demo`, which show the demo tenant to everyone who can reach the port. ' +
        'Default: only in the embedded profile.',
    ),
  SANDBOX_FALLBACK: flag
    .optional()
    .describe(
      '`true` captures deliveries in the sandbox for which the tenant has no provider account. Default: only in ' +
        'the embedded profile.',
    ),
  WORKER_CHANNELS: channelList.default([...channelIds]).describe('The channels this worker serves, comma-separated.'),
  WORKER_CONCURRENCY: concurrency
    .default(1_000)
    .describe(
      'Deliveries that a worker processes at the same time on each channel. Enough to send one batch while it ' +
        'claims the next and records the last.',
    ),
  ...channelConcurrency,
  WEBHOOK_ENDPOINTS_PER_TENANT: positive
    .max(500)
    .default(50)
    .describe(
      'Webhook endpoints that a tenant may have. Each event is sent to all of them. Creating more is rejected ' +
        'with 409.',
    ),
  RENDER_THREADS: positive
    .max(64)
    .optional()
    .describe(
      'Threads for large templates in each API and worker process. They start when needed. Default: one per ' +
        'processor core, at most 4.',
    ),
  RETENTION_DAYS: days
    .min(3)
    .max(3_650)
    .default(90)
    .describe(
      'Days after acceptance until notifications, deliveries with their attempts and log, and inbox items are ' +
        'deleted. Dead letters and their deliveries: days after the failure. A tenant may have its own ' +
        '`retention_days`.',
    ),
  AUDIT_RETENTION_DAYS: days
    .min(30)
    .max(3_650)
    .default(400)
    .describe('Days until an entry of the audit log is deleted.'),
  LEASE_SECONDS: z.coerce
    .number({ error: 'must be a number of seconds' })
    .min(2, 'must be at least 2')
    .max(3_600)
    .default(30)
    .describe(
      'How long a claim is valid, in seconds. Deliveries of a killed worker are due again after this time, sends ' +
        'with an unknown outcome a third later. A provider must answer within a third of it.',
    ),
});

export type Settings = z.infer<typeof settingsSchema>;
export type SettingName = keyof Settings;

/** Settings whose values never appear in a message or a log. */
export const secretSettings: readonly SettingName[] = [
  'DATABASE_URL',
  'TENANT_DATABASE_URL',
  'PLATFORM_DATABASE_URL',
  'REDIS_URL',
  'KAFKA_PASSWORD',
  'ADMIN_TOKEN',
  'ADMIN_TOKEN_PREVIOUS',
  'MASTER_KEY',
  'MASTER_KEY_PREVIOUS',
  'OIDC_CLIENT_SECRET',
];
