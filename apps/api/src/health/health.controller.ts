import { Controller, Get, Res } from '@nestjs/common';
import { ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Public } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { ApiReadiness } from './api-readiness.js';

const healthView = z
  .object({ status: z.string(), checks: z.record(z.string(), z.string()).optional() })
  .meta({ id: 'Health' });

@ApiTags('Health')
@Controller()
export class HealthController {
  constructor(private readonly readiness: ApiReadiness) {}

  @Get('livez')
  @Public()
  @Answers({ summary: 'The process is running', status: 200, schema: healthView })
  live() {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Public()
  @Answers({ summary: 'PostgreSQL is reachable and migrated', status: 200, schema: healthView })
  @ApiResponse({ status: 503, description: 'Not ready', schema: { $ref: '#/components/schemas/Health' } })
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const { ready, checks } = await this.readiness.check();
    if (!ready) reply.status(503);
    return { status: ready ? 'ok' : 'not_ready', checks };
  }
}
