import { isIP } from 'node:net';
import { z } from 'zod';

/**
 * Every setting of Carillon: one line each, with its sentence. `docs/configuration.md` and `.env.example` are generated
 * from this file (`npm run docs`). Vendor credentials are tenants' data and never stand here.
 */

const port = z.coerce.number({ error: 'must be a port number' }).int().min(0).max(65_535);
const positive = z.coerce.number({ error: 'must be a whole number' }).int().min(1);
const concurrency = positive.max(10_000);
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

const channelList = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.array(z.enum(['email', 'sms', 'push', 'in_app', 'chat', 'webhook'])).min(1));

const brokerList = z
  .string()
  .transform((text) => text.split(',').map((broker) => broker.trim()))
  .pipe(z.array(z.string().regex(/^[^\s:]+:\d{1,5}$/, 'must be host:port, comma-separated')).min(1));

const prefix = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be 1 to 100 letters, digits, dots, dashes or underscores');

/** Ranges in CIDR notation. */
const cidrList = z
  .string()
  .transform((text) => text.split(',').map((range) => range.trim()))
  .pipe(
    z.array(
      z.string().refine((range) => {
        const [address, bits, ...rest] = range.split('/');
        const version = isIP(address ?? '');
        return (
          version !== 0 &&
          rest.length === 0 &&
          /^\d{1,3}$/.test(bits ?? '') &&
          Number(bits) <= (version === 4 ? 32 : 128)
        );
      }, 'must be ranges like 10.0.0.0/8, comma-separated'),
    ),
  );

/** 32 bytes, as 64 hexadecimal digits or as base64. */
const masterKey = z.string().transform((text, context) => {
  const key = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (key.length !== 32) {
    context.addIssue({ code: 'custom', message: 'must be 32 bytes as 64 hexadecimal digits or base64' });
    return z.NEVER;
  }
  return key;
});

export const settingsSchema = z.object({
  NODE_ENV: z
    .enum(['development', 'production', 'test'])
    .default('development')
    .describe('`production` refuses generated or weak secrets.'),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'must be a URL like postgresql://user:password@host:5432/name' })
    .optional()
    .describe('The Postgres to use (15 or newer). Unset: an embedded one under CARILLON_HOME (only `npm start`).'),
  DATABASE_POOL_SIZE: positive
    .max(500)
    .default(10)
    .describe(
      'Connections each process may open for tenants, and again for the platform. Up to four more are for reading.',
    ),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must be a URL like redis://user:password@host:6379/0' })
    .optional()
    .describe('Shares limits and live hints between processes through Redis (6.2 or newer). Unset: through Postgres.'),
  REDIS_PREFIX: prefix
    .default('carillon')
    .describe('What every Redis key and channel begins with: one for each deployment on the same Redis.'),
  KAFKA_BROKERS: brokerList
    .optional()
    .describe(
      'Carries due deliveries to workers and events to you through Kafka (3.9 or newer): host:port, comma-separated. Unset: each worker takes its deliveries from Postgres, and no events are published.',
    ),
  KAFKA_PREFIX: prefix
    .default('carillon')
    .describe('What every topic and consumer group begins with: one for each deployment on the same brokers.'),
  KAFKA_PARTITIONS: positive
    .max(1_000)
    .default(6)
    .describe(
      'Partitions of a topic that Carillon makes: at least as many as workers of a channel. A topic that is there is left as it is.',
    ),
  KAFKA_TLS: flag.default(false).describe('`true` speaks TLS to the brokers.'),
  KAFKA_SASL_MECHANISM: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .default('scram-sha-512')
    .describe('How KAFKA_USERNAME and KAFKA_PASSWORD are shown to the brokers.'),
  KAFKA_USERNAME: z.string().min(1).optional().describe('Unset: the brokers are not shown any credentials.'),
  KAFKA_PASSWORD: z.string().min(1).optional().describe('Belongs to KAFKA_USERNAME.'),
  KAFKA_INTAKE_ENABLED: flag
    .default(false)
    .describe('`true` lets the API take sends from the topic `<KAFKA_PREFIX>.requests`, too (docs/kafka.md).'),
  PORT: port.default(8080).describe('Where the API listens.'),
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
      'Where vendors and mail clients reach the API: receipts and one-click unsubscribe need it. Unset: messages go out without either.',
    ),
  EGRESS_ALLOWED_CIDRS: cidrList
    .optional()
    .describe(
      'Private ranges that providers and webhooks may be sent to, over http and on any port, in CIDR notation, comma-separated. Default: loopback outside production, none in production.',
    ),
  INTERNAL_PORT: port
    .optional()
    .describe('A listener of its own for `/internal`; the main port then answers 404 there.'),
  METRICS_PORT: port
    .optional()
    .describe('Where `/metrics`, `/livez` and `/readyz` are served. Default 9090 for the API, 9091 for the worker.'),
  ADMIN_TOKEN: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The operator's token for `/internal`, 32 characters or more. Made and kept under CARILLON_HOME outside production.",
    ),
  MASTER_KEY: masterKey
    .optional()
    .describe(
      '32 bytes that seal credentials and sign inbox tokens, as hexadecimal or base64. Made and kept under CARILLON_HOME outside production.',
    ),
  CARILLON_HOME: z
    .string()
    .min(1)
    .default('.carillon')
    .describe('Where the embedded database, generated secrets and the spool are kept.'),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('How much is logged, as JSON lines on standard output. Successful requests are logged at `debug`.'),
  DEMO_PAGES_ENABLED: flag
    .optional()
    .describe(
      '`true` serves `/mailbox` and `/demo`, which show the demo tenant to whoever can reach the port. Default: only in the embedded profile.',
    ),
  SANDBOX_FALLBACK: flag
    .optional()
    .describe(
      '`true` lets the sandbox take what no provider account would send. Default: only in the embedded profile.',
    ),
  WORKER_CHANNELS: channelList
    .default(['email', 'sms', 'push', 'in_app', 'chat', 'webhook'])
    .describe('The channels this worker serves, comma-separated.'),
  WORKER_CONCURRENCY: concurrency
    .default(1_000)
    .describe(
      'Deliveries a worker holds at once on each channel: enough for one batch to be sent while the next is claimed and the last recorded.',
    ),
  WORKER_EMAIL_CONCURRENCY: concurrency.optional().describe('The same for e-mail alone.'),
  WORKER_SMS_CONCURRENCY: concurrency.optional().describe('The same for SMS alone.'),
  WORKER_PUSH_CONCURRENCY: concurrency.optional().describe('The same for push alone.'),
  WORKER_IN_APP_CONCURRENCY: concurrency.optional().describe('The same for in-app alone.'),
  WORKER_CHAT_CONCURRENCY: concurrency.optional().describe('The same for chat alone.'),
  WORKER_WEBHOOK_CONCURRENCY: concurrency.optional().describe('The same for webhooks alone.'),
  WEBHOOK_ENDPOINTS_PER_TENANT: positive
    .max(500)
    .default(50)
    .describe('Webhook endpoints a tenant may have: each event is sent to all of them. One more is refused with 409.'),
  RENDER_THREADS: positive
    .max(64)
    .optional()
    .describe(
      'Threads for large templates, in each API and worker process. They start when needed. Default: the number of processor cores, at most 4.',
    ),
  RETENTION_DAYS: z.coerce
    .number({ error: 'must be a number of days' })
    .int()
    .min(3)
    .max(3_650)
    .default(90)
    .describe(
      'How long notifications, deliveries with their attempts and log, inbox items and dead letters are kept, in days since they were accepted (a dead letter: since it failed, with its delivery). A tenant may have its own `retention_days`.',
    ),
  LEASE_SECONDS: z.coerce
    .number({ error: 'must be a number of seconds' })
    .min(2)
    .max(3_600)
    .default(30)
    .describe(
      'How long a claim is good for. What a killed worker held is due again after this; a send in doubt a third later. A provider has a third of it to answer.',
    ),
});

export type Settings = z.infer<typeof settingsSchema>;
export type SettingName = keyof Settings;

/** Settings whose values never stand in a message or a log. */
export const secretSettings: readonly SettingName[] = [
  'DATABASE_URL',
  'REDIS_URL',
  'KAFKA_PASSWORD',
  'ADMIN_TOKEN',
  'MASTER_KEY',
];
