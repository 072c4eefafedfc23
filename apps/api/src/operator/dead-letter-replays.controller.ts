import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type AuditNote, type PageRequest, TenantsStore } from '#database';
import { PLATFORM_TENANT_ID, validationFailed } from '#domain';
import { RequireOperator } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import {
  dryRunView,
  type OperatorReplayBody,
  operatorReplayBody,
  toCountView,
} from '../dead-letters/dead-letter.schema.js';
import { ReplayDeadLetters } from '../dead-letters/replay-dead-letters.js';
import { Answers } from '../http/answers.js';
import { withValue } from '../http/request-schema.pipe.js';
import { idParam, listOf, listView, pageQuery } from '../http/schemas.js';
import { jobView, type PaceBody, paceBody, toJobView } from '../jobs/job.schema.js';

interface IdParam {
  id: string;
}

/** The operator's replays of all dead letters that match a filter, of one tenant or of all: jobs of the platform. */
@ApiTags('Operator')
@Controller('internal/dlq/replay')
export class DeadLetterReplaysController {
  constructor(
    private readonly replays: ReplayDeadLetters,
    private readonly tenants: TenantsStore,
  ) {}

  @Post()
  @HttpCode(202)
  @RequireOperator({ role: 'operator' })
  @Audited('dead_letters.replayed')
  @Answers({
    summary: 'Replay all dead letters that match a filter, in a job',
    status: 202,
    schema: jobView,
    dryRun: dryRunView,
    errors: ['validation_failed'],
  })
  async start(
    @Body({ schema: operatorReplayBody }) body: OperatorReplayBody,
    @CurrentAudit() note: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { tenant_id: tenantId } = body.filter;
    if (tenantId !== undefined && (await this.tenants.missing([tenantId])).length > 0)
      throw validationFailed([
        {
          pointer: '/filter/tenant_id',
          code: 'unknown_tenant',
          message: withValue('must be the id of a tenant', tenantId),
        },
      ]);
    if (body.dry_run) {
      reply.status(200);
      return { dry_run: true, ...toCountView(await this.replays.count(PLATFORM_TENANT_ID, body.filter)) };
    }
    const job = await this.replays.start(PLATFORM_TENANT_ID, body, note);
    reply.header('Location', `/internal/dlq/replay/${job.id}`);
    return toJobView(job);
  }

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List replays, newest first',
    status: 200,
    schema: listOf(jobView),
    errors: ['validation_failed'],
  })
  async list(@Query({ schema: pageQuery }) page: PageRequest) {
    return listView(await this.replays.list(PLATFORM_TENANT_ID, page), toJobView);
  }

  @Get(':id')
  @RequireOperator()
  @Answers({ summary: 'Get a replay with its progress', status: 200, schema: jobView, errors: ['not_found'] })
  async get(@Param({ schema: idParam }) { id }: IdParam) {
    return toJobView(await this.replays.get(PLATFORM_TENANT_ID, id));
  }

  @Patch(':id')
  @RequireOperator({ role: 'operator' })
  @Audited('dead_letters_replay.changed')
  @Answers({
    summary: 'Set the pace of a replay',
    status: 200,
    schema: jobView,
    errors: ['not_found', 'validation_failed'],
  })
  async setPace(
    @Param({ schema: idParam }) { id }: IdParam,
    @Body({ schema: paceBody }) body: PaceBody,
    @CurrentAudit() note: AuditNote,
  ) {
    return toJobView(await this.replays.setPace(PLATFORM_TENANT_ID, id, body.pace_per_second, note));
  }

  @Post(':id/pause')
  @HttpCode(200)
  @RequireOperator({ role: 'operator' })
  @Audited('dead_letters_replay.changed')
  @Answers({ summary: 'Pause a replay', status: 200, schema: jobView, errors: ['not_found', 'conflict'] })
  async pause(@Param({ schema: idParam }) { id }: IdParam, @CurrentAudit() note: AuditNote) {
    return toJobView(await this.replays.move(PLATFORM_TENANT_ID, id, 'paused', note));
  }

  @Post(':id/resume')
  @HttpCode(200)
  @RequireOperator({ role: 'operator' })
  @Audited('dead_letters_replay.changed')
  @Answers({
    summary: 'Resume a paused replay, or one that has failed',
    status: 200,
    schema: jobView,
    errors: ['not_found', 'conflict'],
  })
  async resume(@Param({ schema: idParam }) { id }: IdParam, @CurrentAudit() note: AuditNote) {
    return toJobView(await this.replays.move(PLATFORM_TENANT_ID, id, 'running', note));
  }

  @Post(':id/stop')
  @HttpCode(200)
  @RequireOperator({ role: 'operator' })
  @Audited('dead_letters_replay.changed')
  @Answers({
    summary: 'Stop a replay. What it has put back into the queue stays there',
    status: 200,
    schema: jobView,
    errors: ['not_found', 'too_late'],
  })
  async stop(@Param({ schema: idParam }) { id }: IdParam, @CurrentAudit() note: AuditNote) {
    return toJobView(await this.replays.move(PLATFORM_TENANT_ID, id, 'cancelled', note));
  }
}
