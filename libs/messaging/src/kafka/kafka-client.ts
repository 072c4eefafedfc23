// How this process speaks to Kafka: one client, its logger, its codec, and a fix for a timer that never rests.

import { createRequire } from 'node:module';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Admin, Kafka, PartitionerArgs, Producer, SASLOptions } from 'kafkajs';
import { fnv1a } from '#domain';

export interface KafkaOptions {
  /** `host:port` each. */
  brokers: readonly string[];
  tls: boolean;
  sasl: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string } | undefined;
  clientId: string;
  /** What the client has to say, for who looks closely: what it cannot do, its caller is told anyway. */
  onLog: (message: string, extra: Record<string, unknown>) => void;
}

let rested = false;
/** Well over the eight to ten seconds a killed broker is away. */
const PRODUCE_RETRIES = 20;

/** The number of the codec in the protocol. */
export const ZSTD = 4;

/** Loads the client when it is needed: where there is no Kafka it would only take room. */
export async function makeKafka(options: KafkaOptions): Promise<Kafka> {
  const { CompressionCodecs, Kafka: Client, logLevel } = (await import('kafkajs')).default;
  // Node has zstd built in; gzip would halve the rate.
  CompressionCodecs[ZSTD] = () => ({
    compress: async (encoder: { buffer: Buffer }) => zstdCompressSync(encoder.buffer),
    decompress: async (buffer: Buffer) => zstdDecompressSync(buffer),
  });
  restTimer();
  return new Client({
    clientId: options.clientId,
    brokers: [...options.brokers],
    ssl: options.tls,
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

/** Idempotent, acknowledged by all replicas in sync, one request in flight: nothing lost, doubled or overtaken by a retry. */
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

/** A tenth of the cost of the client's own murmur2. */
function partitionOf({ partitionMetadata, message }: PartitionerArgs): number {
  return fnv1a(String(message.key ?? '')) % partitionMetadata.length;
}

/**
 * kafkajs 2.2.4 sets a timer for a moment that has long passed, after every answer, whether or not anything waits: a thousand
 * wake-ups a second for each connection (github.com/tulios/kafkajs/issues/1751). Only requests that wait need it.
 */
function restTimer(): void {
  if (rested) return;
  rested = true;
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
    prototype: { pending: unknown[]; scheduleCheckPendingRequests(): void };
  };
  const { scheduleCheckPendingRequests } = prototype;
  prototype.scheduleCheckPendingRequests = function (this: typeof prototype): void {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
  };
}
