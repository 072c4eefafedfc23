import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { type AuditNote, CategoriesStore, TemplatesStore } from '#database';
import { channelIds, notFound, validationFailed } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { categoryKey, listOf, listView, pageQuery } from '../http/schemas.js';
import { type CategoryBody, categoryBody, categoryView, toCategoryView, toFields } from './category.schema.js';

const keyParam = z.object({ key: categoryKey });

interface KeyParam {
  key: string;
}

@ApiTags('Consent')
@Controller('api/v1/categories')
export class CategoriesController {
  constructor(
    private readonly categories: CategoriesStore,
    private readonly templates: TemplatesStore,
  ) {}

  @Get()
  @RequireApiKey('categories:read')
  @Answers({
    summary: 'List categories, by key',
    status: 200,
    schema: listOf(categoryView),
    errors: ['validation_failed'],
  })
  async list(
    @CurrentCaller() { tenantId }: Caller,
    @Query({ schema: pageQuery }) page: { limit: number; cursor?: string },
  ) {
    return listView(await this.categories.list(tenantId, page), toCategoryView);
  }

  @Put(':key')
  @RequireApiKey('categories:write')
  @Audited('category.changed')
  @Answers({
    summary: 'Create or replace a category',
    status: 200,
    creates: true,
    schema: categoryView,
    errors: ['validation_failed', 'unknown_template'],
  })
  async put(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: keyParam }) { key }: KeyParam,
    @Body({ schema: categoryBody }) body: CategoryBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if (body.digest) await this.checkTemplate(tenantId, body.digest.template_id);
    const { category, created } = await this.categories.put(tenantId, key, toFields(body), audit);
    if (created) reply.status(201).header('Location', `/api/v1/categories/${encodeURIComponent(key)}`);
    return toCategoryView(category);
  }

  @Get(':key')
  @RequireApiKey('categories:read')
  @Answers({ summary: 'Get a category', status: 200, schema: categoryView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: keyParam }) { key }: KeyParam) {
    const category = await this.categories.get(tenantId, key);
    if (!category) throw notFound('category', key);
    return toCategoryView(category);
  }

  @Delete(':key')
  @HttpCode(204)
  @RequireApiKey('categories:write')
  @Audited('category.removed')
  @Answers({
    summary: 'Delete a category. Recipients without a preference for it then receive it',
    status: 204,
    errors: ['not_found'],
  })
  async delete(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: keyParam }) { key }: KeyParam,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    if (!(await this.categories.delete(tenantId, key, audit))) throw notFound('category', key);
  }

  /** A digest collects on the channels for which its template exists. */
  private async checkTemplate(tenantId: string, idOrKey: string): Promise<void> {
    const found = await Promise.all(channelIds.map((channel) => this.templates.heads(tenantId, idOrKey, channel)));
    if (found.some((heads) => heads.length > 0)) return;
    const message = `there is no template ${JSON.stringify(idOrKey)} for any channel`;
    throw validationFailed([{ pointer: '/digest/template_id', code: 'unknown_template', message }]);
  }
}
