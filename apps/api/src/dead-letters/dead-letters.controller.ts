import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type AuditNote, DeadLettersStore } from '#database';
import { notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { idParam, listOf, listView } from '../http/schemas.js';
import { jobView, toJobView } from '../jobs/job.schema.js';
import {
  countView,
  dryRunView,
  filterOf,
  type ReplayBody,
  replayBody,
  type TenantCountQuery,
  type TenantLettersQuery,
  tenantCountQuery,
  tenantLettersQuery,
  tenantLetterView,
  toCountView,
  toTenantLetterView,
} from './dead-letter.schema.js';
import { ReplayDeadLetters } from './replay-dead-letters.js';

interface IdParam {
  id: string;
}

/** The failed deliveries of the tenant: shows, replays and discards them. */
@ApiTags('Dead letters')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/dead-letters')
export class TenantDeadLettersController {
  constructor(
    private readonly letters: DeadLettersStore,
    private readonly replays: ReplayDeadLetters,
  ) {}

  @Get()
  @RequireApiKey('dead_letters:read')
  @Answers({
    summary: 'List dead letters, newest first',
    status: 200,
    schema: listOf(tenantLetterView),
    errors: ['validation_failed'],
  })
  async list(@CurrentCaller() { tenantId }: Caller, @Query({ schema: tenantLettersQuery }) query: TenantLettersQuery) {
    return listView(await this.letters.list(tenantId, filterOf(query), query), toTenantLetterView);
  }

  @Get('count')
  @RequireApiKey('dead_letters:read')
  @Answers({ summary: 'Count dead letters', status: 200, schema: countView, errors: ['validation_failed'] })
  async count(@CurrentCaller() { tenantId }: Caller, @Query({ schema: tenantCountQuery }) query: TenantCountQuery) {
    return toCountView(await this.letters.count(tenantId, filterOf(query)));
  }

  @Get(':id')
  @RequireApiKey('dead_letters:read')
  @Answers({ summary: 'Get a dead letter', status: 200, schema: tenantLetterView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    const found = await this.letters.get(tenantId, id);
    if (!found) throw notFound('dead letter', id);
    return toTenantLetterView(found);
  }

  @Post(':id/replay')
  @HttpCode(202)
  @RequireApiKey('dead_letters:write')
  @Audited('dead_letter.replayed')
  @Answers({
    summary: 'Replay a dead letter. Possible once',
    status: 202,
    schema: tenantLetterView,
    errors: ['not_found', 'already_replayed', 'conflict'],
  })
  async replay(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ) {
    return toTenantLetterView(await this.letters.replay(tenantId, id, audit));
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireApiKey('dead_letters:write')
  @Audited('dead_letter.discarded')
  @Answers({ summary: 'Discard a dead letter', status: 204, errors: ['not_found'] })
  async delete(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    if (!(await this.letters.delete(tenantId, id, audit))) throw notFound('dead letter', id);
  }

  @Post('replay')
  @HttpCode(202)
  @RequireApiKey('dead_letters:write')
  @Audited('dead_letters.replayed')
  @Answers({
    summary: 'Replay all dead letters that match a filter, in a job',
    status: 202,
    schema: jobView,
    dryRun: dryRunView,
    errors: ['validation_failed'],
  })
  async replayAll(
    @CurrentCaller() { tenantId }: Caller,
    @Body({ schema: replayBody }) body: ReplayBody,
    @CurrentAudit() note: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if (body.dry_run) {
      reply.status(200);
      return { dry_run: true, ...toCountView(await this.replays.count(tenantId, body.filter)) };
    }
    const job = await this.replays.start(tenantId, body, note);
    reply.header('Location', `/api/v1/dead-letters/replay/${job.id}`);
    return toJobView(job);
  }

  @Get('replay/:id')
  @RequireApiKey('dead_letters:read')
  @Answers({ summary: 'Get a replay with its progress', status: 200, schema: jobView, errors: ['not_found'] })
  async progress(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return toJobView(await this.replays.get(tenantId, id));
  }

  @Post('replay/:id/stop')
  @HttpCode(200)
  @RequireApiKey('dead_letters:write')
  @Answers({
    summary: 'Stop a replay. What it has put back into the queue stays there',
    status: 200,
    schema: jobView,
    errors: ['not_found', 'too_late'],
  })
  async stop(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return toJobView(await this.replays.move(tenantId, id, 'cancelled', null));
  }
}
