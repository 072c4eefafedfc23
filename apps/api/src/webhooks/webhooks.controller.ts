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
import {
  type AuditNote,
  type DeliveryRow,
  NotificationsStore,
  type PageRequest,
  type WebhookEndpoint,
  WebhookEndpointsStore,
} from '#database';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { idParam, listOf, listView, pageQuery } from '../http/schemas.js';
import { ManageWebhooks } from './manage-webhooks.js';
import {
  createdWebhookView,
  endpointDeliveryView,
  type ReplayBody,
  replayBody,
  replayView,
  rotatedView,
  testView,
  type WebhookBody,
  type WebhookPatch,
  webhookBody,
  webhookPatch,
  webhookView,
} from './webhook.schema.js';

interface IdParam {
  id: string;
}

@ApiTags('Webhooks')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/webhooks')
export class WebhooksController {
  constructor(
    private readonly webhooks: ManageWebhooks,
    private readonly endpoints: WebhookEndpointsStore,
    private readonly notifications: NotificationsStore,
  ) {}

  @Post()
  @RequireApiKey('webhooks:write')
  @Audited('webhook.created')
  @Answers({
    summary: 'Create an endpoint',
    status: 201,
    schema: createdWebhookView,
    errors: ['validation_failed', 'conflict'],
  })
  async create(
    @CurrentCaller() { tenantId }: Caller,
    @Body({ schema: webhookBody }) body: WebhookBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { endpoint, secret } = await this.webhooks.create(tenantId, body, audit);
    reply.header('Location', `/api/v1/webhooks/${endpoint.id}`);
    return { ...toView(endpoint), secret };
  }

  @Get()
  @RequireApiKey('webhooks:read')
  @Answers({
    summary: 'List endpoints, newest first',
    status: 200,
    schema: listOf(webhookView),
    errors: ['validation_failed'],
  })
  async list(@CurrentCaller() { tenantId }: Caller, @Query({ schema: pageQuery }) page: PageRequest) {
    return listView(await this.endpoints.list(tenantId, page), toView);
  }

  @Get(':id')
  @RequireApiKey('webhooks:read')
  @Answers({ summary: 'Get an endpoint', status: 200, schema: webhookView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return toView(await this.webhooks.get(tenantId, id));
  }

  @Patch(':id')
  @RequireApiKey('webhooks:write')
  @Audited('webhook.changed')
  @Answers({
    summary: 'Change an endpoint',
    status: 200,
    schema: webhookView,
    errors: ['not_found', 'validation_failed'],
  })
  async update(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @Body({ schema: webhookPatch }) body: WebhookPatch,
    @CurrentAudit() audit: AuditNote,
  ) {
    return toView(await this.webhooks.update(tenantId, id, body, audit));
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireApiKey('webhooks:write')
  @Audited('webhook.removed')
  @Answers({ summary: 'Delete an endpoint. Its waiting deliveries fail', status: 204, errors: ['not_found'] })
  async delete(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    await this.webhooks.delete(tenantId, id, audit);
  }

  @Post(':id/rotate-secret')
  @HttpCode(200)
  @RequireApiKey('webhooks:write')
  @Audited('webhook.secret_rotated')
  @Answers({
    summary: 'Create a new secret. Calls are also signed with the old one for a day',
    status: 200,
    schema: rotatedView,
    errors: ['not_found'],
  })
  async rotate(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ) {
    const { secret, until } = await this.webhooks.rotate(tenantId, id, audit);
    return { secret, old_secret_valid_until: until.toISOString() };
  }

  @Post(':id/test')
  @HttpCode(202)
  @RequireApiKey('webhooks:write')
  @Answers({
    summary: 'Send an event of type webhook.test',
    status: 202,
    schema: testView,
    errors: ['not_found', 'conflict'],
  })
  async test(@CurrentCaller() { tenantId, traceparent }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return { delivery_id: await this.webhooks.test(tenantId, id, traceparent) };
  }

  @Get(':id/deliveries')
  @RequireApiKey('webhooks:read')
  @Answers({
    summary: 'List the deliveries to an endpoint, newest first. GET /api/v1/deliveries/{id} shows the timeline',
    status: 200,
    schema: listOf(endpointDeliveryView),
    errors: ['not_found', 'validation_failed'],
  })
  async deliveries(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @Query({ schema: pageQuery }) page: PageRequest,
  ) {
    await this.webhooks.get(tenantId, id);
    return listView(await this.notifications.ofEndpoint(tenantId, id, page), toDeliveryView);
  }

  @Post(':id/replay')
  @HttpCode(202)
  @RequireApiKey('webhooks:write')
  @Answers({
    summary: 'Replay failed deliveries, or send events that were never sent',
    status: 202,
    schema: replayView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async replay(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: IdParam,
    @Body({ schema: replayBody }) body: ReplayBody,
  ) {
    return await this.webhooks.replay(tenantId, id, body);
  }
}

function toView(endpoint: WebhookEndpoint) {
  const { id, url, events, description, ordered, enabled } = endpoint;
  return {
    id,
    url,
    events,
    description,
    ordered,
    enabled,
    disabled_reason: endpoint.disabledReason,
    failing_since: endpoint.failingSince?.toISOString() ?? null,
    created_at: endpoint.createdAt.toISOString(),
    updated_at: endpoint.updatedAt.toISOString(),
  };
}

function toDeliveryView(row: DeliveryRow & { type: string; eventId: string }) {
  const { id, type, state, reason, attempts } = row;
  return {
    id,
    event_id: row.eventId,
    type,
    state,
    reason,
    attempts,
    due_at: row.dueAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    sent_at: row.sentAt?.toISOString() ?? null,
  };
}
