import { type BeforeApplicationShutdown, Module, type OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '#config';
import { AuditRetentionStore, Database, PartitionsStore, PostgresListener, RetentionStore } from '#database';
import type { Logger } from '#telemetry';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { CONFIG, LOGGER } from '../tokens.js';
import { GaugeStores, Gauges } from './gauges.js';
import { Housekeeper } from './housekeeper.js';
import { HousekeepingStores } from './housekeeping-stores.js';

/** Maintains the database on timers, and reports its gauges. */
@Module({
  imports: [DeliveryModule],
  providers: [
    Gauges,
    GaugeStores,
    HousekeepingStores,
    {
      provide: RetentionStore,
      inject: [Database, PartitionsStore, CONFIG],
      useFactory: (database: Database, partitions: PartitionsStore, { retentionDays }: Config) =>
        new RetentionStore(database, partitions, retentionDays),
    },
    {
      provide: AuditRetentionStore,
      inject: [Database, CONFIG],
      useFactory: (database: Database, { auditRetentionDays }: Config) =>
        new AuditRetentionStore(database, auditRetentionDays),
    },
    {
      provide: Housekeeper,
      inject: [HousekeepingStores, CONFIG, PostgresListener, LOGGER],
      useFactory: (stores: HousekeepingStores, config: Config, lock: PostgresListener, logger: Logger) =>
        new Housekeeper(stores, config, lock, logger),
    },
  ],
})
export class HousekeepingModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(private readonly housekeeper: Housekeeper) {}

  onApplicationBootstrap(): void {
    this.housekeeper.start();
  }

  beforeApplicationShutdown(): void {
    this.housekeeper.stop();
  }
}
