import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Put,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type Template, type TemplateContent, TemplatesStore } from '#database';
import {
  type ChannelId,
  channelOf,
  DomainError,
  localeChain,
  MOST_SMS_SEGMENTS,
  messageFaultOf,
  notFound,
  smsSegments,
} from '#domain';
import { TemplateFault, TemplateRenderer } from '#templates';
import { type Caller, CurrentCaller, RequireApiKey } from '../http/access.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { fieldErrorsOf, validationFailed } from '../http/request-schema.pipe.js';
import { listOf, listView } from '../http/schemas.js';
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
@Controller('api/v1/templates')
@UseInterceptors(IdempotencyInterceptor)
export class TemplatesController {
  constructor(
    @Inject(TemplatesStore) private readonly templates: TemplatesStore,
    @Inject(TemplateRenderer) private readonly renderer: TemplateRenderer,
  ) {}

  @Post()
  @RequireApiKey('templates:write')
  @Answers({
    summary: 'Create a template',
    status: 201,
    schema: templateView,
    errors: ['validation_failed', 'conflict'],
  })
  async create(
    @CurrentCaller() { tenantId }: Caller,
    @Body({ schema: templateBody }) body: TemplateBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.checkContent(tenantId, body.channel, body.content);
    const { key, channel, locale, content } = body;
    const created = await this.templates.create(tenantId, {
      key,
      channel,
      locale,
      content,
      samplePayload: body.sample_payload ?? null,
    });
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
  @Answers({
    summary: 'Write a new version',
    status: 200,
    schema: templateView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async put(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) query: Selector,
    @Body({ schema: versionBody }) body: VersionBody,
  ) {
    const selector = { idOrKey: id, channel: query.channel ?? body.channel, locale: query.locale ?? body.locale };
    const found = await this.templates.get(tenantId, selector);
    if (!found) throw notFound('template', id);
    for (const field of ['key', 'channel', 'locale'] as const) {
      if (body[field] !== undefined && body[field] !== found[field]) {
        throw validationFailed([
          {
            pointer: `/${field}`,
            code: 'immutable',
            message: `is ${JSON.stringify(found[field])} and cannot be changed, got ${JSON.stringify(body[field])}`,
          },
        ]);
      }
    }
    await this.checkContent(tenantId, found.channel, body.content);
    const next = await this.templates.addVersion(
      tenantId,
      { idOrKey: found.id },
      { content: body.content, samplePayload: body.sample_payload ?? found.samplePayload },
    );
    if (!next) throw notFound('template', id);
    return toView(next);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireApiKey('templates:write')
  @Answers({ summary: 'Delete a template with its versions', status: 204, errors: ['not_found', 'conflict'] })
  async delete(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) selector: Selector,
  ): Promise<void> {
    if (!(await this.templates.delete(tenantId, { idOrKey: id, ...selector }))) throw notFound('template', id);
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
    @CurrentCaller() { tenantId, settings }: Caller,
    @Param({ schema: templateParam }) { id }: { id: string },
    @Query({ schema: selectorQuery }) query: Selector,
    @Body({ schema: previewBody }) body: { payload: Record<string, unknown>; locale?: string },
  ) {
    const found = await this.inBestLocale(tenantId, id, query, body.locale ?? null, settings.locale ?? null);
    const payload = Object.keys(body.payload).length > 0 ? body.payload : (found.samplePayload ?? {});
    try {
      const message = await this.renderer.render(channelOf(found.channel), found.content, [payload], tenantId);
      const { channel, locale, version } = found;
      // Too long for any tenant, and too long to be counted character by character.
      const tooLong = messageFaultOf(channelOf(channel), message, { smsMaxSegments: MOST_SMS_SEGMENTS });
      if (tooLong) throw new TemplateFault(tooLong);
      return {
        channel,
        locale,
        version,
        message,
        ...(channel === 'sms' && { sms: smsSegments(String(message['text'])) }),
      };
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error;
      const [, pointer = '', message = error.message] = /^(\/[^:]*): (.*)$/s.exec(error.message) ?? [];
      throw new DomainError('render_error', error.message, {
        errors: [{ pointer: `/content${pointer}`, code: 'render_error', message }],
      });
    }
  }

  /** The template a send would take for this locale. */
  private async inBestLocale(
    tenantId: string,
    id: string,
    query: Selector,
    locale: string | null,
    tenantDefault: string | null,
  ): Promise<Template> {
    for (const wanted of query.locale ? [query.locale] : localeChain(locale, tenantDefault)) {
      const found = await this.templates.get(tenantId, { idOrKey: id, channel: query.channel, locale: wanted });
      if (found) return found;
    }
    const any = await this.templates.get(tenantId, { idOrKey: id, channel: query.channel });
    if (!any) throw notFound('template', id);
    return any;
  }

  /** The channel's shape first, then every source in it. */
  private async checkContent(tenantId: string, channelId: ChannelId, content: TemplateContent): Promise<void> {
    const channel = channelOf(channelId);
    const shape = channel.content.safeParse(content);
    if (!shape.success)
      throw validationFailed(
        fieldErrorsOf(shape.error.issues, content).map((fault) => ({ ...fault, pointer: `/content${fault.pointer}` })),
      );
    const faults = await this.renderer.faults(channel, content, tenantId);
    if (faults.length > 0)
      throw validationFailed(
        faults.map(({ pointer, message }) => ({ pointer: `/content${pointer}`, code: 'template_syntax', message })),
      );
  }
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
