// The Kafka client of this process, with its log and its compression.

import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Admin, Kafka, PartitionerArgs, Producer, SASLOptions } from 'kafkajs';
import type { TlsConfig } from '#config';
import { fnv1a } from '#domain';
import { fixTimer } from './fix-timer.js';

export interface KafkaOptions {
  /** `host:port` of each broker. */
  brokers: readonly string[];
  /** Undefined: without TLS. */
  tls: TlsConfig | undefined;
  sasl: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string } | undefined;
  clientId: string;
  /** Log lines of the client, for debugging. Callers get failures as errors. */
  onLog: (message: string, extra: Record<string, unknown>) => void;
}

/** Retries last longer than the eight to ten seconds that the failover of a killed broker takes. */
const PRODUCE_RETRIES = 20;

/** The codec's number in the Kafka protocol. */
export const ZSTD = 4;

/** Loads the client only when it is needed, because it takes memory. */
export async function makeKafka(options: KafkaOptions): Promise<Kafka> {
  const { CompressionCodecs, Kafka: Client, logLevel } = (await import('kafkajs')).default;
  // kafkajs has no zstd of its own. Its gzip halves the rate.
  CompressionCodecs[ZSTD] = () => ({
    compress: async (encoder: { buffer: Buffer }) => zstdCompressSync(encoder.buffer),
    decompress: async (buffer: Buffer) => zstdDecompressSync(buffer),
  });
  fixTimer();
  return new Client({
    clientId: options.clientId,
    brokers: [...options.brokers],
    ssl: options.tls ?? false,
    ...(options.sasl && { sasl: options.sasl as SASLOptions }),
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    logCreator: () => (entry) => {
      const { message, timestamp: _timestamp, logger: _logger, ...extra } = entry.log;
      options.onLog(`kafka: ${message}`, extra);
    },
    logLevel: logLevel.INFO,
  });
}

/** Idempotent and with one request in flight, so retries neither duplicate nor reorder messages. */
export function makeProducer(kafka: Kafka): Producer {
  return kafka.producer({
    createPartitioner: () => partitionOf,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: PRODUCE_RETRIES },
  });
}

export type { Admin, Kafka, Producer };

/** FNV-1a takes a tenth of the time of the client's own murmur2. */
function partitionOf({ partitionMetadata, message }: PartitionerArgs): number {
  return fnv1a(String(message.key ?? '')) % partitionMetadata.length;
}
