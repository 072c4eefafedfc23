// How this process reaches Redis and Kafka.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { brokerList, certificateFile, flag, keyFile, positive, prefix } from './setting-formats.js';

const caMeaning = (server: string): string =>
  `A PEM file with the CAs to trust for the certificate of ${server}, instead of those of the system.`;
const certMeaning = (server: string): string =>
  `A PEM file with the certificate that this process shows to ${server}, and its chain. Unset: none.`;
const keyMeaning = 'A PEM file with the private key of that certificate, without a passphrase.';

export const connectionSettings = {
  REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must be a URL like redis://user:password@host:6379/0' })
    .optional()
    .describe('The Redis server (6.2 or newer) for limits and real-time hints between processes. Unset: PostgreSQL.'),
  REDIS_TLS_CA_FILE: certificateFile.optional().describe(caMeaning('Redis (`rediss://`)')),
  REDIS_TLS_CERT_FILE: certificateFile.optional().describe(certMeaning('Redis')),
  REDIS_TLS_KEY_FILE: keyFile.optional().describe(keyMeaning),
  REDIS_PREFIX: prefix
    .default('carillon')
    .describe('Prefix of every Redis key and channel. Deployments that share a Redis server need different ones.'),
  KAFKA_BROKERS: brokerList
    .optional()
    .describe(
      'Kafka brokers (3.9 or newer) as host:port, comma-separated. Due deliveries and events are published there.' +
        ' Unset: a worker processes the deliveries that it claims, and events go only to webhook endpoints.',
    ),
  KAFKA_PREFIX: prefix
    .default('carillon')
    .describe('Prefix of every topic and consumer group. Deployments that share brokers need different ones.'),
  KAFKA_PARTITIONS: positive
    .max(1_000)
    .default(6)
    .describe(
      'Partitions of the topics that Carillon creates, at least the number of workers of a channel. Existing ' +
        'topics stay unchanged.',
    ),
  KAFKA_TLS: flag.default(false).describe('`true` connects to the brokers with TLS.'),
  KAFKA_TLS_CA_FILE: certificateFile.optional().describe(caMeaning('the brokers')),
  KAFKA_TLS_CERT_FILE: certificateFile.optional().describe(certMeaning('the brokers')),
  KAFKA_TLS_KEY_FILE: keyFile.optional().describe(keyMeaning),
  KAFKA_SASL_MECHANISM: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .default('scram-sha-512')
    .describe('SASL mechanism for KAFKA_USERNAME and KAFKA_PASSWORD.'),
  KAFKA_USERNAME: z.string().min(1).optional().describe('SASL user name. Unset: no authentication.'),
  KAFKA_PASSWORD: z.string().min(1).optional().describe('SASL password, needed with KAFKA_USERNAME.'),
  KAFKA_INTAKE_ENABLED: flag
    .default(false)
    .describe('`true` makes the API also accept sends from the topic `<KAFKA_PREFIX>.requests` (docs/kafka.md).'),
};

type ConnectionSettings = z.infer<z.ZodObject<typeof connectionSettings>>;

/** PEM texts. Without `ca`, the CAs of the system and of NODE_EXTRA_CA_CERTS are trusted. */
export interface TlsConfig {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface RedisConfig {
  readonly url: string;
  readonly prefix: string;
  /** Undefined: a connection without TLS. */
  readonly tls: TlsConfig | undefined;
}

export interface KafkaConfig {
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly partitions: number;
  /** Undefined: connections without TLS. */
  readonly tls: TlsConfig | undefined;
  readonly sasl:
    | {
        readonly mechanism: ConnectionSettings['KAFKA_SASL_MECHANISM'];
        readonly username: string;
        readonly password: string;
      }
    | undefined;
  /** Whether the API accepts sends from the topic of requests. */
  readonly requests: boolean;
}

const services = ['REDIS', 'KAFKA'] as const;

function tlsOf(settings: ConnectionSettings, service: (typeof services)[number]): TlsConfig {
  return Object.freeze({
    ca: settings[`${service}_TLS_CA_FILE`],
    cert: settings[`${service}_TLS_CERT_FILE`],
    key: settings[`${service}_TLS_KEY_FILE`],
  });
}

export function redisOf(settings: ConnectionSettings): RedisConfig | undefined {
  if (!settings.REDIS_URL) return undefined;
  const tls = settings.REDIS_URL.startsWith('rediss:') ? tlsOf(settings, 'REDIS') : undefined;
  return Object.freeze({ url: settings.REDIS_URL, prefix: settings.REDIS_PREFIX, tls });
}

export function kafkaOf(settings: ConnectionSettings): KafkaConfig | undefined {
  if (!settings.KAFKA_BROKERS) return undefined;
  return Object.freeze({
    brokers: settings.KAFKA_BROKERS,
    prefix: settings.KAFKA_PREFIX,
    partitions: settings.KAFKA_PARTITIONS,
    tls: settings.KAFKA_TLS ? tlsOf(settings, 'KAFKA') : undefined,
    sasl: settings.KAFKA_USERNAME
      ? {
          mechanism: settings.KAFKA_SASL_MECHANISM,
          username: settings.KAFKA_USERNAME,
          password: settings.KAFKA_PASSWORD!,
        }
      : undefined,
    requests: settings.KAFKA_INTAKE_ENABLED,
  });
}

/** Settings of Redis and Kafka that need another one which is missing or different. */
export function connectionFaults(settings: ConnectionSettings): string[] {
  const faults: string[] = [];
  const needs = (value: unknown, name: string, other: string): void => {
    if (!value) faults.push(`${name}: is needed with ${other}`);
  };
  if (settings.KAFKA_USERNAME) needs(settings.KAFKA_PASSWORD, 'KAFKA_PASSWORD', 'KAFKA_USERNAME');
  if (settings.KAFKA_PASSWORD) needs(settings.KAFKA_USERNAME, 'KAFKA_USERNAME', 'KAFKA_PASSWORD');
  if (settings.KAFKA_INTAKE_ENABLED) needs(settings.KAFKA_BROKERS, 'KAFKA_BROKERS', 'KAFKA_INTAKE_ENABLED');
  for (const service of services) {
    const { ca, cert, key } = tlsOf(settings, service);
    const tls = `${service}_TLS`;
    if (cert) needs(key, `${tls}_KEY_FILE`, `${tls}_CERT_FILE`);
    if (key) needs(cert, `${tls}_CERT_FILE`, `${tls}_KEY_FILE`);
    if (cert && key && !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      faults.push(`${tls}_KEY_FILE: is not the key of the certificate in ${tls}_CERT_FILE`);
    if (!ca && !cert) continue;
    const file = `${tls}_${ca ? 'CA' : 'CERT'}_FILE`;
    if (service === 'KAFKA' && !settings.KAFKA_TLS) faults.push(`KAFKA_TLS: must be true with ${file}`);
    if (service === 'REDIS' && !settings.REDIS_URL?.startsWith('rediss:'))
      faults.push(`REDIS_URL: must start with rediss:// with ${file}`);
  }
  return faults;
}

/** Settings that work but are weak, for the log. */
export function connectionWarnings(settings: ConnectionSettings): string[] {
  if (!settings.KAFKA_BROKERS || !settings.KAFKA_USERNAME || settings.KAFKA_TLS) return [];
  const exposed =
    settings.KAFKA_SASL_MECHANISM === 'plain'
      ? 'KAFKA_PASSWORD and all messages cross the network in plain text'
      : 'messages cross the network in plain text, and KAFKA_PASSWORD can be guessed from the handshake';
  return [`KAFKA_TLS is not true: ${exposed}`];
}
