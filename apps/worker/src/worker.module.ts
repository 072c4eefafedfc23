import { type DynamicModule, Module } from '@nestjs/common';
import type { Config } from '#config';
import { DatabaseModule } from '#database';
import type { Logger } from '#telemetry';
import { ConnectionsModule } from './connections/connections.module.js';
import { DeliveryModule } from './delivery/delivery.module.js';
import { DispatchModule } from './dispatch/dispatch.module.js';
import { EventsModule } from './events/events.module.js';
import { HousekeepingModule } from './housekeeping/housekeeping.module.js';
import { JobsModule } from './jobs/jobs.module.js';
import { SchedulesModule } from './schedules/schedules.module.js';
import { WorkerReadiness } from './worker-readiness.js';

export interface WorkerOptions {
  config: Config;
  logger: Logger;
  migrationsDirectory: string;
}

/**
 * The worker. Nest starts a module after those that it imports and stops it before them. Shutdown runs in this order:
 * 1. `beforeApplicationShutdown`: housekeeping, jobs and schedules stop, then DispatchModule stops claiming and waits
 *    for deliveries under way.
 * 2. `onApplicationShutdown`: EventsModule stops the relays, DeliveryModule closes the renderer and the provider
 *    connections, ConnectionsModule closes the bus, Redis, the listener and the database.
 */
@Module({})
export class WorkerModule {
  static register({ config, logger, migrationsDirectory }: WorkerOptions): DynamicModule {
    const database = DatabaseModule.register({
      url: config.databaseUrl,
      logins: config.databaseLogins,
      poolSize: config.databasePoolSize,
      applicationName: 'carillon-worker',
      masterKey: config.masterKey,
      previousMasterKeys: config.previousMasterKeys,
      events: config.kafka !== undefined,
      migrationsDirectory,
      onFault: (error, message) => logger.warn({ err: error }, message),
    });
    return {
      module: WorkerModule,
      imports: [
        database,
        ConnectionsModule.register(config, logger),
        DispatchModule,
        DeliveryModule,
        EventsModule,
        SchedulesModule,
        HousekeepingModule,
        JobsModule,
      ],
      providers: [WorkerReadiness],
    };
  }
}
