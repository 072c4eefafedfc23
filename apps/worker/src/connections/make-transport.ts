import { type Config, connectionAdvice } from '#config';
import type { ClaimedDelivery, DueDeliveriesStore, PoisonMessagesStore } from '#database';
import { DirectTransport, type Kafka, KafkaTransport } from '#messaging';
import { continueTrace, type Logger, traceHeaders } from '#telemetry';

export interface TransportParts {
  config: Config;
  kafka: Kafka | null;
  due: DueDeliveriesStore;
  poison: PoisonMessagesStore;
  logger: Logger;
}

/** Session timeout of a Kafka consumer: the lease, clamped to this range. Brokers allow 6 s or more by default. */
const [SHORTEST_SESSION_SECONDS, LONGEST_SESSION_SECONDS] = [6, 10];

/** Kafka where it is configured, otherwise a call within this process. */
export function makeTransport({ config, kafka, due, poison, logger }: TransportParts) {
  if (!kafka || !config.kafka)
    return new DirectTransport<ClaimedDelivery>(config.concurrency, (error, channel) =>
      logger.error({ err: error, channel }, 'a consumer failed'),
    );
  const sessionSeconds = Math.min(LONGEST_SESSION_SECONDS, Math.max(SHORTEST_SESSION_SECONDS, config.leaseSeconds));
  return new KafkaTransport<ClaimedDelivery>({
    kafka,
    prefix: config.kafka.prefix,
    partitions: config.kafka.partitions,
    channels: config.workerChannels,
    concurrency: config.concurrency,
    sessionMs: 1_000 * sessionSeconds,
    headersOf: traceHeaders,
    onReceived: continueTrace,
    confirm: (tickets) => due.confirm(tickets, config.leaseSeconds),
    notePoison: (message) => poison.note(message),
    onFault: (error, message) => logger.warn({ err: error }, message + connectionAdvice('KAFKA', error)),
  });
}
