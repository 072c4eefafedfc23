import { Controller, Get, Inject, Res } from '@nestjs/common';
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
export class HealthController {
  /** Set at shutdown: a balancer sends nothing more, while what is under way ends. */
  draining = false;

  constructor(
    @Inject(OperationsStore) private readonly operations: OperationsStore,
    @Inject(REDIS) private readonly redis: Redis | undefined,
  ) {}

  @Get('livez')
  @Public()
  @Answers({ summary: 'The process lives', status: 200, schema: healthView })
  live() {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Public()
  @Answers({ summary: 'Postgres is reachable and current', status: 200, schema: healthView })
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const { ready, checks } = await this.operations.readiness();
    const ok = ready && !this.draining;
    if (!ok) reply.status(503);
    return {
      status: ok ? 'ok' : 'not_ready',
      checks: {
        ...checks,
        // Told, not fatal: without Redis every request is still answered.
        ...(this.redis && { redis: this.redis.connected ? 'ok' : 'away' }),
        ...(this.draining && { process: 'draining' }),
      },
    };
  }
}
