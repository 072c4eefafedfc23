import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { type AuditNote, CategoriesStore, type Category } from '#database';
import { notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { categoryKey, listOf, listView, pageQuery, time } from '../http/schemas.js';

const fields = {
  name: z.string().min(1).max(100),
  default_enabled: z
    .boolean()
    .default(true)
    .meta({ description: 'Whether recipients without a preference for the category receive it' }),
  mandatory: z
    .boolean()
    .default(false)
    .meta({ description: 'Ignores preferences and unsubscribes, but not suppressions after a bounce or a complaint' }),
  unknown_outcome: z.enum(['resend', 'hold']).nullable().default(null).meta({
    description: 'What to do when a provider may or may not have sent a message. null: the default of the channel',
  }),
};
const categoryBody = z.strictObject(fields).meta({ id: 'CategoryBody' });
type CategoryBody = z.infer<typeof categoryBody>;
const categoryView = z
  .object({ key: categoryKey, ...fields, created_at: time, updated_at: time })
  .meta({ id: 'Category' });
const keyParam = z.object({ key: categoryKey });

interface KeyParam {
  key: string;
}

@ApiTags('Consent')
@Controller('api/v1/categories')
export class CategoriesController {
  constructor(private readonly categories: CategoriesStore) {}

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
    return listView(await this.categories.list(tenantId, page), toView);
  }

  @Put(':key')
  @RequireApiKey('categories:write')
  @Audited('category.changed')
  @Answers({
    summary: 'Create or replace a category',
    status: 200,
    creates: true,
    schema: categoryView,
    errors: ['validation_failed'],
  })
  async put(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: keyParam }) { key }: KeyParam,
    @Body({ schema: categoryBody }) body: CategoryBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { name, default_enabled: defaultEnabled, mandatory, unknown_outcome: unknownOutcome } = body;
    const fields = { name, defaultEnabled, mandatory, unknownOutcome };
    const { category, created } = await this.categories.put(tenantId, key, fields, audit);
    if (created) reply.status(201).header('Location', `/api/v1/categories/${encodeURIComponent(key)}`);
    return toView(category);
  }

  @Get(':key')
  @RequireApiKey('categories:read')
  @Answers({ summary: 'Get a category', status: 200, schema: categoryView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: keyParam }) { key }: KeyParam) {
    const category = await this.categories.get(tenantId, key);
    if (!category) throw notFound('category', key);
    return toView(category);
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
}

function toView(category: Category) {
  const { key, name, mandatory } = category;
  return {
    key,
    name,
    default_enabled: category.defaultEnabled,
    mandatory,
    unknown_outcome: category.unknownOutcome,
    created_at: category.createdAt.toISOString(),
    updated_at: category.updatedAt.toISOString(),
  };
}
