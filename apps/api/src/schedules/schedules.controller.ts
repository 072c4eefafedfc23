import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type AuditNote, type PageRequest, SchedulesStore } from '#database';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { AcceptsNotifications } from '../http/route-config.js';
import { idParam, listOf, listView, pageQuery } from '../http/schemas.js';
import { ManageSchedules } from './manage-schedules.js';
import {
  type ScheduleBody,
  type SchedulePatch,
  scheduleBody,
  schedulePatch,
  scheduleView,
  toListedView,
  toScheduleView,
} from './schedule.schema.js';

interface IdParam {
  id: string;
}

/** Recurring sends. */
@ApiTags('Schedules')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/schedules')
export class SchedulesController {
  constructor(
    private readonly schedules: ManageSchedules,
    private readonly store: SchedulesStore,
  ) {}

  @Post()
  @AcceptsNotifications()
  @RequireApiKey('schedules:write')
  @Audited('schedule.created')
  @Answers({
    summary: 'Create a schedule. Also needs the scope notifications:write',
    status: 201,
    schema: scheduleView,
    errors: ['validation_failed', 'no_address', 'unknown_template', 'conflict'],
  })
  async create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: scheduleBody }) body: ScheduleBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const schedule = await this.schedules.create(caller, body, audit);
    reply.header('Location', `/api/v1/schedules/${schedule.id}`);
    return toScheduleView(schedule);
  }

  @Get()
  @RequireApiKey('schedules:read')
  @Answers({
    summary: 'List schedules, newest first, each with its next occurrence only',
    status: 200,
    schema: listOf(scheduleView),
    errors: ['validation_failed'],
  })
  async list(@CurrentCaller() { tenantId }: Caller, @Query({ schema: pageQuery }) page: PageRequest) {
    return listView(await this.store.list(tenantId, page), toListedView);
  }

  @Get(':id')
  @RequireApiKey('schedules:read')
  @Answers({ summary: 'Get a schedule', status: 200, schema: scheduleView, errors: ['not_found'] })
  async get(@CurrentCaller() caller: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return toScheduleView(await this.schedules.get(caller, id));
  }

  @Patch(':id')
  @AcceptsNotifications()
  @RequireApiKey('schedules:write')
  @Audited('schedule.changed')
  @Answers({
    summary: 'Change a schedule; its next occurrence is computed again. Also needs the scope notifications:write',
    status: 200,
    schema: scheduleView,
    errors: ['not_found', 'validation_failed', 'no_address', 'unknown_template', 'conflict'],
  })
  async update(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @Body({ schema: schedulePatch }) patch: SchedulePatch,
    @CurrentAudit() audit: AuditNote,
  ) {
    return toScheduleView(await this.schedules.patch(caller, id, patch, audit));
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireApiKey('schedules:write')
  @Audited('schedule.removed')
  @Answers({ summary: 'Delete a schedule. Notifications that it has sent stay', status: 204, errors: ['not_found'] })
  async delete(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    await this.schedules.delete(caller, id, audit);
  }

  @Post(':id/pause')
  @HttpCode(200)
  @RequireApiKey('schedules:write')
  @Audited('schedule.changed')
  @Answers({
    summary: 'Pause a schedule: its occurrences until it is resumed are left out',
    status: 200,
    schema: scheduleView,
    errors: ['not_found', 'conflict'],
  })
  async pause(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ) {
    return toScheduleView(await this.schedules.pause(caller, id, audit));
  }

  @Post(':id/resume')
  @HttpCode(200)
  @RequireApiKey('schedules:write')
  @Audited('schedule.changed')
  @Answers({
    summary: 'Resume a schedule from its next occurrence on. Also needs the scope notifications:write',
    status: 200,
    schema: scheduleView,
    errors: ['not_found', 'conflict'],
  })
  async resume(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ) {
    return toScheduleView(await this.schedules.resume(caller, id, audit));
  }
}
