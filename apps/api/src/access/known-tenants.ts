import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { type KnownTenant, TenantsStore } from '#database';
import type { RealtimeBus } from '#realtime';
import type { Logger } from '#telemetry';
import { BUS, LOGGER } from '../tokens.js';
import { FreshCache } from './fresh-cache.js';

/** The tenants of recipient tokens. */
@Injectable()
export class KnownTenants implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly tenants: FreshCache<KnownTenant>;

  constructor(store: TenantsStore, @Inject(BUS) bus: RealtimeBus, @Inject(LOGGER) logger: Logger) {
    this.tenants = new FreshCache({
      read: (ids) => store.known(ids),
      tenantOf: ({ id }) => id,
      max: 10_000,
      bus,
      onFault: (error) => logger.warn({ err: error }, 'tenants could not be read again'),
    });
  }

  onApplicationBootstrap(): void {
    this.tenants.start();
  }

  onApplicationShutdown(): void {
    this.tenants.stop();
  }

  /** Null if there is none. At most 4 s old. */
  async get(id: string): Promise<KnownTenant | null> {
    return await this.tenants.get(id);
  }

  /** The same without waiting: undefined if it is not known yet. */
  latest(id: string): KnownTenant | null | undefined {
    return this.tenants.latest(id);
  }
}
