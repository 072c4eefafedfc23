import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import type { Config } from '#config';
import { Database, DatabaseModule, PostgresListener } from '#database';
import type { Kafka } from '#messaging';
import { makeBus, type RealtimeBus } from '#realtime';
import type { Redis } from '#redis';
import { type Logger, observeStores } from '#telemetry';
import { BUS, CONFIG, KAFKA, LIMITER, LOGGER, REDIS } from '../tokens.js';
import { makeApiLimiter } from './make-api-limiter.js';
import { PrepareDatabase } from './prepare-database.js';

export interface InfrastructureOptions {
  config: Config;
  logger: Logger;
  migrationsDirectory: string;
  /** Without Redis, each process keeps its own request limits and hints go through PostgreSQL. */
  redis: Redis | undefined;
  /** Undefined unless sends are also taken from Kafka. */
  kafka: Kafka | undefined;
}

/**
 * Configuration, logger and connections, for every module. It is global, so Nest initializes it before and shuts
 * it down after the modules that use it: the database is ready when they start and still open when they stop.
 */
@Module({})
export class InfrastructureModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(BUS) private readonly bus: RealtimeBus,
    @Inject(REDIS) private readonly redis: Redis | undefined,
    private readonly database: Database,
    private readonly listener: PostgresListener,
    private readonly prepareDatabase: PrepareDatabase,
  ) {}

  static register({ config, logger, migrationsDirectory, redis, kafka }: InfrastructureOptions): DynamicModule {
    const onFault = (error: Error, message: string): void => logger.warn({ err: error }, message);
    const providers: Provider[] = [
      { provide: CONFIG, useValue: config },
      { provide: LOGGER, useValue: logger },
      { provide: REDIS, useValue: redis },
      { provide: KAFKA, useValue: kafka },
      {
        provide: LIMITER,
        inject: [Database],
        useFactory: (opened: Database) => makeApiLimiter(config, redis, opened, logger),
      },
      {
        provide: BUS,
        inject: [PostgresListener],
        useFactory: (listener: PostgresListener) =>
          makeBus(redis, listener, (error) => onFault(error, 'publishing real-time hints failed')),
      },
    ];
    const database = DatabaseModule.register({
      url: config.databaseUrl,
      logins: config.databaseLogins,
      poolSize: config.databasePoolSize,
      applicationName: 'carillon-api',
      masterKey: config.masterKey,
      previousMasterKeys: config.previousMasterKeys,
      events: config.kafka !== undefined,
      migrationsDirectory,
      onFault,
    });
    return {
      module: InfrastructureModule,
      global: true,
      imports: [database],
      providers: [...providers, PrepareDatabase],
      exports: providers,
    };
  }

  async onModuleInit(): Promise<void> {
    await this.prepareDatabase.run();
    await this.redis?.connect();
    await this.listener.start();
    observeStores('api', { database: this.database, redis: this.redis });
  }

  /** The bus first because it uses Redis or the listener; the database last because the others use it. */
  async onApplicationShutdown(): Promise<void> {
    await this.bus.close();
    await this.redis?.close();
    await this.listener.close();
    await this.database.close();
  }
}
