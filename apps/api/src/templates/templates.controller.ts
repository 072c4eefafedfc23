import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type AuditNote, TemplatesStore } from '#database';
import type { ChannelId } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { listOf, listView } from '../http/schemas.js';
import { ManageTemplates } from './manage-templates.js';
import { PreviewTemplate } from './preview-template.js';
import {
  type DraftBody,
  draftBody,
  draftView,
  previewBody,
  previewView,
  rollbackBody,
  selectorQuery,
  type TemplateBody,
  type TemplatesQuery,
  templateBody,
  templateParam,
  templatesQuery,
  templateVersionView,
  templateView,
  type VersionBody,
  type VersionsQuery,
  versionBody,
  versionsQuery,
} from './template.schema.js';
import { toTemplateView, toVersionView } from './template-view.js';

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
    private readonly manage: ManageTemplates,
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
    @CurrentCaller() caller: Caller,
    @Body({ schema: templateBody }) body: TemplateBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const created = await this.manage.create(caller.tenantId, body, writeOf(caller, audit));
    reply.header('Location', `/api/v1/templates/${created.id}`);
    return toTemplateView(created);
  }

  @Post('preview')
  @HttpCode(200)
  @RequireApiKey('templates:read')
  @Answers({
    summary: 'Render a version that is not stored',
    operationId: 'Templates_previewDraft',
    status: 200,
    schema: draftView,
    errors: ['validation_failed', 'render_error'],
  })
  async previewDraft(@CurrentCaller() { tenantId, settings }: Caller, @Body({ schema: draftBody }) body: DraftBody) {
    return await this.previewTemplate.draft(tenantId, body, settings.locale ?? null);
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
    @Query({ schema: templatesQuery }) { limit, cursor, include, ...filter }: TemplatesQuery,
  ) {
    const page = { limit, cursor };
    const withPlatform = include === 'platform';
    return listView(await this.templates.list(tenantId, { ...filter, withPlatform }, page), toTemplateView);
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
    return toTemplateView(await this.manage.get(tenantId, { idOrKey: id, ...selector }));
  }

  @Put(':id')
  @RequireApiKey('templates:write')
  @Audited('template.changed')
  @Answers({
    summary: 'Create a new version, or a copy of a template of the platform',
    status: 200,
    schema: templateView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async put(
    @CurrentCaller() caller: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) query: Selector,
    @Body({ schema: versionBody }) body: VersionBody,
    @CurrentAudit() audit: AuditNote,
  ) {
    const selector = { idOrKey: id, channel: query.channel ?? body.channel, locale: query.locale ?? body.locale };
    return toTemplateView(await this.manage.put(caller.tenantId, selector, body, writeOf(caller, audit)));
  }

  @Get(':id/versions')
  @RequireApiKey('templates:read')
  @Answers({
    summary: 'List the versions of a template, newest first',
    status: 200,
    schema: listOf(templateVersionView),
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async versions(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: versionsQuery }) { limit, cursor, ...selector }: VersionsQuery,
  ) {
    const page = { limit, cursor };
    return listView(await this.manage.versions(tenantId, { idOrKey: id, ...selector }, page), toVersionView);
  }

  @Post(':id/rollback')
  @HttpCode(200)
  @RequireApiKey('templates:write')
  @Audited('template.changed')
  @Answers({
    summary: 'Create a new version with the content of an earlier one',
    status: 200,
    schema: templateView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async rollback(
    @CurrentCaller() caller: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) selector: Selector,
    @Body({ schema: rollbackBody }) { version }: { version: number },
    @CurrentAudit() audit: AuditNote,
  ) {
    const write = writeOf(caller, audit);
    return toTemplateView(await this.manage.rollback(caller.tenantId, { idOrKey: id, ...selector }, version, write));
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireApiKey('templates:write')
  @Audited('template.removed')
  @Answers({ summary: 'Delete a template with its versions', status: 204, errors: ['not_found', 'conflict'] })
  async delete(
    @CurrentCaller() caller: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) selector: Selector,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    await this.manage.delete(caller.tenantId, { idOrKey: id, ...selector }, writeOf(caller, audit));
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
}

function writeOf({ settings }: Caller, audit: AuditNote) {
  return { audit, defaultLocale: settings.locale ?? null };
}
