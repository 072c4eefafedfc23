import { type DynamicModule, Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { type Config, connectionAdvice } from '#config';
import {
  type ClaimedDelivery,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  PlatformKeys,
  PoisonMessagesStore,
  PostgresListener,
} from '#database';
import { type DeliveryTransport, type Kafka, makeKafka } from '#messaging';
import { makeBus, type RealtimeBus } from '#realtime';
import { Redis } from '#redis';
import { instruments, type Logger, observeStores } from '#telemetry';
import { Shutdown } from '../shutdown.js';
import { BUS, CONFIG, KAFKA, LOGGER, REDIS, TRANSPORT } from '../tokens.js';
import { DeliveryServer } from './delivery-server.js';
import { makeTransport } from './make-transport.js';

/**
 * The configuration, the logger and the connections to other systems, for all modules. Nest initializes a global
 * module before all others and shuts it down after them, so the connections are open whenever another module runs.
 */
@Module({})
export class ConnectionsModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(REDIS) private readonly redis: Redis | null,
    @Inject(BUS) private readonly bus: RealtimeBus,
    @Inject(TRANSPORT) private readonly transport: CustomTransportStrategy & DeliveryTransport<ClaimedDelivery>,
    private readonly listener: PostgresListener,
    private readonly database: Database,
  ) {}

  static register(config: Config, logger: Logger): DynamicModule {
    const providers = [
      { provide: CONFIG, useValue: config },
      { provide: LOGGER, useValue: logger },
      Shutdown,
      DeliveryServer,
      { provide: REDIS, useFactory: () => makeRedis(config, logger) },
      { provide: KAFKA, useFactory: () => makeKafkaClient(config, logger) },
      {
        provide: BUS,
        inject: [REDIS, PostgresListener],
        useFactory: (redis: Redis | null, listener: PostgresListener) =>
          makeBus(redis ?? undefined, listener, (error) =>
            logger.warn({ err: error }, 'publishing real-time hints failed'),
          ),
      },
      {
        provide: TRANSPORT,
        inject: [KAFKA, DueDeliveriesStore, PoisonMessagesStore],
        useFactory: (kafka: Kafka | null, due: DueDeliveriesStore, poison: PoisonMessagesStore) =>
          makeTransport({ config, logger, kafka, due, poison }),
      },
      {
        provide: DeliveriesStore,
        inject: [Database, BUS, PlatformKeys],
        useFactory: (database: Database, bus: RealtimeBus, keys: PlatformKeys) =>
          new DeliveriesStore(
            database,
            (rows) => bus.publish(rows.map((row) => ({ kind: 'inbox', ...row }))),
            () => keys.addressKey,
          ),
      },
    ];
    return { module: ConnectionsModule, global: true, providers, exports: providers };
  }

  async onModuleInit(): Promise<void> {
    await this.redis?.connect();
    await this.listener.start();
    this.observe();
  }

  private observe(): void {
    const { database, redis, transport } = this;
    const usesKafka = transport.readiness() !== null;
    const kafka = { isReachable: () => [...transport.uncommitted().values()].every((count) => count !== null) };
    observeStores('worker', { database, redis, kafka: usesKafka ? kafka : null });
    if (!usesKafka) return;
    instruments().gauge('kafkaLag', async () =>
      [...transport.uncommitted()].flatMap(([channel, value]) =>
        value === null ? [] : { value, labels: { channel } },
      ),
    );
  }

  /**
   * The bus uses Redis or the listener, and everything uses the database, so they close in this order. The transport
   * comes last: it waits for deliveries that outlived the deadline, and those end when the database is closed.
   */
  async onApplicationShutdown(): Promise<void> {
    await this.bus.close();
    await this.redis?.close();
    await this.listener.close();
    await this.database.close();
    await this.transport.close();
  }
}

async function makeRedis(config: Config, logger: Logger): Promise<Redis | null> {
  if (!config.redis) return null;
  return await Redis.make({
    ...config.redis,
    onFault: (error) =>
      logger.warn(
        { err: error },
        `Redis is unavailable; holding rate-limited deliveries${connectionAdvice('REDIS', error)}`,
      ),
  });
}

async function makeKafkaClient(config: Config, logger: Logger): Promise<Kafka | null> {
  if (!config.kafka) return null;
  return await makeKafka({
    ...config.kafka,
    clientId: 'carillon-worker',
    onLog: (message, extra) => logger.debug(extra, message),
  });
}
