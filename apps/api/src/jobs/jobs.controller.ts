import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type Job, JobLinesStore, JobsStore, type PageRequest } from '#database';
import { notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { idParam, listOf, listView, pageQuery } from '../http/schemas.js';
import {
  type JobsQuery,
  jobErrorView,
  jobsQuery,
  jobView,
  type PaceBody,
  paceBody,
  toJobErrorView,
  toJobView,
} from './job.schema.js';

interface IdParam {
  id: string;
}

/** Shows, pauses, resumes and cancels long-running work: sends to topics, uploads, replays of dead letters. */
@ApiTags('Jobs')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/jobs')
export class JobsController {
  constructor(
    private readonly jobs: JobsStore,
    private readonly lines: JobLinesStore,
  ) {}

  @Get()
  @RequireApiKey('notifications:read')
  @Answers({ summary: 'List jobs, newest first', status: 200, schema: listOf(jobView), errors: ['validation_failed'] })
  async list(@CurrentCaller() { tenantId }: Caller, @Query({ schema: jobsQuery }) query: JobsQuery) {
    return listView(await this.jobs.list(tenantId, query, query), toJobView);
  }

  @Get(':id')
  @RequireApiKey('notifications:read')
  @Answers({ summary: 'Get a job with its progress', status: 200, schema: jobView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return viewOf(id, await this.jobs.get(tenantId, id));
  }

  @Get(':id/errors')
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'List the rejected lines of an upload',
    status: 200,
    schema: listOf(jobErrorView),
    errors: ['not_found', 'validation_failed'],
  })
  async errors(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @Query({ schema: pageQuery }) query: PageRequest,
  ) {
    if (!(await this.jobs.get(tenantId, id))) throw notFound('job', id);
    return listView(await this.lines.rejected(tenantId, id, query), toJobErrorView);
  }

  @Patch(':id')
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Set the pace of a job',
    status: 200,
    schema: jobView,
    errors: ['not_found', 'validation_failed'],
  })
  async setPace(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @Body({ schema: paceBody }) body: PaceBody,
  ) {
    return viewOf(id, await this.jobs.setPace(tenantId, id, body.pace_per_second));
  }

  @Post(':id/pause')
  @HttpCode(200)
  @RequireApiKey('notifications:write')
  @Answers({ summary: 'Pause a job', status: 200, schema: jobView, errors: ['not_found', 'conflict'] })
  async pause(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return viewOf(id, await this.jobs.move(tenantId, id, 'paused'));
  }

  @Post(':id/resume')
  @HttpCode(200)
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Resume a paused job, or one that has failed',
    status: 200,
    schema: jobView,
    errors: ['not_found', 'conflict'],
  })
  async resume(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return viewOf(id, await this.jobs.move(tenantId, id, 'running'));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Cancel a job. Deliveries of it that wait are cancelled in the background',
    status: 200,
    schema: jobView,
    errors: ['not_found', 'too_late'],
  })
  async cancel(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return viewOf(id, await this.jobs.move(tenantId, id, 'cancelled'));
  }
}

function viewOf(id: string, job: Job | null) {
  if (!job) throw notFound('job', id);
  return toJobView(job);
}
