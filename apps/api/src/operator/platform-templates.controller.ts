import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type AuditNote, type TemplateSelector, TemplatesStore } from '#database';
import { type ChannelId, PLATFORM_TENANT_ID, type TemplateKind } from '#domain';
import { RequireOperator } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { listOf, listView } from '../http/schemas.js';
import { ManageTemplates } from '../templates/manage-templates.js';
import { PreviewTemplate } from '../templates/preview-template.js';
import {
  type DraftBody,
  draftBody,
  draftView,
  platformTemplatesQuery,
  rollbackBody,
  selectorQuery,
  type TemplateBody,
  templateBody,
  templateParam,
  templateVersionView,
  templateView,
  type VersionBody,
  type VersionsQuery,
  versionBody,
  versionsQuery,
} from '../templates/template.schema.js';
import { toTemplateView, toVersionView } from '../templates/template-view.js';

type Selector = Omit<TemplateSelector, 'idOrKey'>;

/** The platform's own templates, for tenants without a template of the same key and channel. */
@ApiTags('Operator')
@Controller('internal/templates')
export class PlatformTemplatesController {
  constructor(
    private readonly templates: TemplatesStore,
    private readonly manage: ManageTemplates,
    private readonly preview: PreviewTemplate,
  ) {}

  @Post()
  @RequireOperator()
  @Audited('template.created')
  @Answers({
    summary: 'Create a template of the platform',
    status: 201,
    schema: templateView,
    errors: ['validation_failed', 'conflict'],
  })
  async create(
    @Body({ schema: templateBody }) body: TemplateBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const created = await this.manage.create(PLATFORM_TENANT_ID, body, { audit, defaultLocale: null });
    reply.header('Location', `/internal/templates/${created.id}`);
    return toTemplateView(created);
  }

  @Post('preview')
  @HttpCode(200)
  @RequireOperator({ role: 'viewer' })
  @Answers({
    summary: 'Render a version of a template of the platform that is not stored',
    operationId: 'PlatformTemplates_previewDraft',
    status: 200,
    schema: draftView,
    errors: ['validation_failed', 'render_error'],
  })
  async previewDraft(@Body({ schema: draftBody }) body: DraftBody) {
    return await this.preview.draft(PLATFORM_TENANT_ID, body, null);
  }

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List templates of the platform, newest first',
    status: 200,
    schema: listOf(templateView),
    errors: ['validation_failed'],
  })
  async list(
    @Query({ schema: platformTemplatesQuery }) {
      limit,
      cursor,
      ...filter
    }: {
      limit: number;
      cursor?: string;
      key?: string;
      channel?: ChannelId;
      kind?: TemplateKind;
    },
  ) {
    return listView(await this.templates.list(PLATFORM_TENANT_ID, filter, { limit, cursor }), toTemplateView);
  }

  @Get(':id')
  @RequireOperator()
  @Answers({
    summary: 'Get a template of the platform by id or key',
    status: 200,
    schema: templateView,
    errors: ['not_found', 'conflict'],
  })
  async get(
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) selector: Selector,
  ) {
    return toTemplateView(await this.manage.get(PLATFORM_TENANT_ID, { idOrKey: id, ...selector }));
  }

  @Put(':id')
  @RequireOperator()
  @Audited('template.changed')
  @Answers({
    summary: 'Create a new version of a template of the platform',
    status: 200,
    schema: templateView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async put(
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) query: Selector,
    @Body({ schema: versionBody }) body: VersionBody,
    @CurrentAudit() audit: AuditNote,
  ) {
    const selector = { idOrKey: id, channel: query.channel ?? body.channel, locale: query.locale ?? body.locale };
    const write = { audit, defaultLocale: null };
    return toTemplateView(await this.manage.put(PLATFORM_TENANT_ID, selector, body, write));
  }

  @Get(':id/versions')
  @RequireOperator()
  @Answers({
    summary: 'List the versions of a template of the platform, newest first',
    status: 200,
    schema: listOf(templateVersionView),
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async versions(
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: versionsQuery }) { limit, cursor, ...selector }: VersionsQuery,
  ) {
    const page = { limit, cursor };
    return listView(await this.manage.versions(PLATFORM_TENANT_ID, { idOrKey: id, ...selector }, page), toVersionView);
  }

  @Post(':id/rollback')
  @HttpCode(200)
  @RequireOperator()
  @Audited('template.changed')
  @Answers({
    summary: 'Create a new version of a template of the platform with the content of an earlier one',
    status: 200,
    schema: templateView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async rollback(
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) selector: Selector,
    @Body({ schema: rollbackBody }) { version }: { version: number },
    @CurrentAudit() audit: AuditNote,
  ) {
    const write = { audit, defaultLocale: null };
    const rolledBack = await this.manage.rollback(PLATFORM_TENANT_ID, { idOrKey: id, ...selector }, version, write);
    return toTemplateView(rolledBack);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireOperator()
  @Audited('template.removed')
  @Answers({
    summary: 'Delete a template of the platform with its versions',
    status: 204,
    errors: ['not_found', 'conflict'],
  })
  async delete(
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) selector: Selector,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    await this.manage.delete(PLATFORM_TENANT_ID, { idOrKey: id, ...selector }, { audit, defaultLocale: null });
  }
}
