import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type AuditNote, type Template, type TemplateContent, TemplatesStore } from '#database';
import { type ChannelId, notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { validationFailed } from '../http/request-schema.pipe.js';
import { listOf, listView } from '../http/schemas.js';
import { CheckContent } from './check-content.js';
import { PreviewTemplate } from './preview-template.js';
import {
  previewBody,
  previewView,
  selectorQuery,
  type TemplateBody,
  templateBody,
  templateParam,
  templatesQuery,
  templateView,
  type VersionBody,
  versionBody,
} from './template.schema.js';

interface Selector {
  channel?: ChannelId;
  locale?: string;
}

@ApiTags('Templates')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/templates')
export class TemplatesController {
  constructor(
    private readonly templates: TemplatesStore,
    private readonly contentChecks: CheckContent,
    private readonly previewTemplate: PreviewTemplate,
  ) {}

  @Post()
  @RequireApiKey('templates:write')
  @Audited('template.created')
  @Answers({
    summary: 'Create a template',
    status: 201,
    schema: templateView,
    errors: ['validation_failed', 'conflict'],
  })
  async create(
    @CurrentCaller() { tenantId }: Caller,
    @Body({ schema: templateBody }) body: TemplateBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.checkContent(tenantId, body.channel, body.content);
    const { key, channel, locale, content } = body;
    const template = { key, channel, locale, content, samplePayload: body.sample_payload ?? null };
    const created = await this.templates.create(tenantId, template, audit);
    reply.header('Location', `/api/v1/templates/${created.id}`);
    return toView(created);
  }

  @Get()
  @RequireApiKey('templates:read')
  @Answers({
    summary: 'List templates, newest first',
    status: 200,
    schema: listOf(templateView),
    errors: ['validation_failed'],
  })
  async list(
    @CurrentCaller() { tenantId }: Caller,
    @Query({ schema: templatesQuery }) {
      key,
      channel,
      ...page
    }: { limit: number; cursor?: string; key?: string; channel?: ChannelId },
  ) {
    return listView(await this.templates.list(tenantId, { key, channel }, page), toView);
  }

  @Get(':id')
  @RequireApiKey('templates:read')
  @Answers({
    summary: 'Get a template by id or key',
    status: 200,
    schema: templateView,
    errors: ['not_found', 'conflict'],
  })
  async get(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) selector: Selector,
  ) {
    const found = await this.templates.get(tenantId, { idOrKey: id, ...selector });
    if (!found) throw notFound('template', id);
    return toView(found);
  }

  @Put(':id')
  @RequireApiKey('templates:write')
  @Audited('template.changed')
  @Answers({
    summary: 'Create a new version',
    status: 200,
    schema: templateView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async put(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) query: Selector,
    @Body({ schema: versionBody }) body: VersionBody,
    @CurrentAudit() audit: AuditNote,
  ) {
    const selector = { idOrKey: id, channel: query.channel ?? body.channel, locale: query.locale ?? body.locale };
    const found = await this.templates.get(tenantId, selector);
    if (!found) throw notFound('template', id);
    checkUnchanged(found, body);
    await this.checkContent(tenantId, found.channel, body.content);
    const version = { content: body.content, samplePayload: body.sample_payload ?? found.samplePayload };
    const next = await this.templates.addVersion(tenantId, { idOrKey: found.id }, version, audit);
    if (!next) throw notFound('template', id);
    return toView(next);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireApiKey('templates:write')
  @Audited('template.removed')
  @Answers({ summary: 'Delete a template with its versions', status: 204, errors: ['not_found', 'conflict'] })
  async delete(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) selector: Selector,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    const found = await this.templates.delete(tenantId, { idOrKey: id, ...selector }, audit);
    if (!found) throw notFound('template', id);
  }

  @Post(':id/preview')
  @HttpCode(200)
  @RequireApiKey('templates:read')
  @Answers({
    summary: 'Render without sending',
    status: 200,
    schema: previewView,
    errors: ['not_found', 'conflict', 'render_error'],
  })
  async preview(
    @CurrentCaller() caller: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) query: Selector,
    @Body({ schema: previewBody }) body: { payload: Record<string, unknown>; locale?: string },
  ) {
    return await this.previewTemplate.run(caller, {
      idOrKey: id,
      channel: query.channel,
      exactLocale: query.locale,
      recipientLocale: body.locale,
      payload: body.payload,
    });
  }

  private async checkContent(tenantId: string, channel: ChannelId, content: TemplateContent): Promise<void> {
    const errors = await this.contentChecks.run(tenantId, channel, content);
    if (errors.length > 0) throw validationFailed(errors);
  }
}

/** Throws `validation_failed` when the body names another key, channel or locale than the template has. */
function checkUnchanged(template: Template, body: VersionBody): void {
  const errors = (['key', 'channel', 'locale'] as const).flatMap((field) => {
    const [current, given] = [template[field], body[field]].map((value) => JSON.stringify(value));
    if (given === undefined || given === current) return [];
    return [{ pointer: `/${field}`, code: 'immutable', message: `is ${current} and cannot be changed, got ${given}` }];
  });
  if (errors.length > 0) throw validationFailed(errors);
}

function toView(template: Template) {
  return {
    id: template.id,
    key: template.key,
    channel: template.channel,
    locale: template.locale,
    version: template.version,
    content: template.content,
    sample_payload: template.samplePayload,
    created_at: template.createdAt.toISOString(),
    updated_at: template.updatedAt.toISOString(),
  };
}
