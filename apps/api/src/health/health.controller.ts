import { Controller, Get, Inject, type OnModuleDestroy, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { OperationsStore } from '#database';
import type { Redis } from '#redis';
import { Public } from '../http/access.js';
import { Answers } from '../http/answers.js';
import { REDIS } from '../tokens.js';

const healthView = z
  .object({ status: z.string(), checks: z.record(z.string(), z.string()).optional() })
  .meta({ id: 'Health' });

@ApiTags('Health')
@Controller()
export class HealthController implements OnModuleDestroy {
  private draining = false;

  constructor(
    private readonly operations: OperationsStore,
    @Inject(REDIS) private readonly redis: Redis | undefined,
  ) {}

  /** The first shutdown phase: load balancers stop sending requests while the open ones end. */
  onModuleDestroy(): void {
    this.draining = true;
  }

  @Get('livez')
  @Public()
  @Answers({ summary: 'The process is running', status: 200, schema: healthView })
  live() {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Public()
  @Answers({ summary: 'PostgreSQL is reachable and migrated', status: 200, schema: healthView })
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const { ready, checks } = await this.operations.readiness();
    const ok = ready && !this.draining;
    if (!ok) reply.status(503);
    return {
      status: ok ? 'ok' : 'not_ready',
      checks: {
        ...checks,
        // Reported only: without Redis every request is still answered.
        ...(this.redis && { redis: this.redis.connected ? 'ok' : 'away' }),
        ...(this.draining && { process: 'draining' }),
      },
    };
  }
}
