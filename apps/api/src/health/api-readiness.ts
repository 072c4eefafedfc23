import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { OperationsStore } from '#database';
import type { Redis } from '#redis';
import type { Readiness } from '#telemetry';
import { REDIS } from '../tokens.js';

/** The answer of `/readyz`, on the main port and on METRICS_PORT. */
@Injectable()
export class ApiReadiness implements OnModuleDestroy {
  private draining = false;

  constructor(
    private readonly operations: OperationsStore,
    @Inject(REDIS) private readonly redis: Redis | undefined,
  ) {}

  /** The first shutdown phase: load balancers stop sending requests while the open ones end. */
  onModuleDestroy(): void {
    this.draining = true;
  }

  async check(): Promise<Readiness> {
    const { ready, checks } = await this.operations.readiness();
    return {
      ready: ready && !this.draining,
      checks: {
        ...checks,
        // Reported only: without Redis every request is still answered.
        ...(this.redis && { redis: this.redis.connected ? 'ok' : 'away' }),
        ...(this.draining && { process: 'draining' }),
      },
    };
  }
}
