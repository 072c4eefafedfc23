import { Inject, Injectable } from '@nestjs/common';
import { type ClaimedDelivery, OperationsStore } from '#database';
import type { DeliveryTransport } from '#messaging';
import type { Redis } from '#redis';
import type { Readiness } from '#telemetry';
import { LockedAccounts } from './delivery/locked-accounts.js';
import { REDIS, TRANSPORT } from './tokens.js';

/** The answer of `/readyz`. */
@Injectable()
export class WorkerReadiness {
  constructor(
    private readonly operations: OperationsStore,
    @Inject(TRANSPORT) private readonly transport: DeliveryTransport<ClaimedDelivery>,
    @Inject(REDIS) private readonly redis: Redis | null,
    private readonly locked: LockedAccounts,
  ) {}

  /**
   * Ready when the database is ready, this worker's group reads every Kafka partition that has deliveries, and the
   * master key opens the provider accounts. Without Redis a worker is ready: it still sends deliveries that have no
   * rate limit.
   */
  async check(): Promise<Readiness> {
    const { ready, checks } = await this.operations.readiness();
    const broker = this.transport.readiness();
    const isLocked = this.locked.size > 0;
    return {
      ready: ready && (broker?.ready ?? true) && !isLocked,
      checks: {
        ...checks,
        ...(isLocked && { master_key: 'does not open the provider accounts' }),
        ...(this.redis && { redis: this.redis.connected ? 'ok' : 'away' }),
        ...(broker && { kafka: broker.status }),
      },
    };
  }
}
