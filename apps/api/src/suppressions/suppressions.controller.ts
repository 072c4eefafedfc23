import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { type AuditNote, type Suppression, SuppressionsStore } from '#database';
import { type ChannelId, channelIds, channelOf, notFound, suppressionReasons } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { filteredPage, id, idParam, listOf, listView, time } from '../http/schemas.js';

const address = z.string().min(1).max(4_096);
const channel = z.enum(channelIds.filter((one): one is Exclude<ChannelId, 'in_app'> => one !== 'in_app'));
const suppressionBody = z
  .strictObject({
    channel,
    address,
    reason: z.enum(suppressionReasons).default('manual'),
    expires_at: time.nullish().meta({ description: 'End of the suppression. Without it the suppression is permanent' }),
  })
  .superRefine((body, context) => {
    const message = channelOf(body.channel).addressFault(body.address);
    if (message) context.addIssue({ code: 'custom', path: ['address'], message });
    if (body.expires_at && Date.parse(body.expires_at) <= Date.now())
      context.addIssue({ code: 'custom', path: ['expires_at'], message: 'must be in the future' });
  })
  .meta({ id: 'SuppressionBody' });
type SuppressionBody = z.infer<typeof suppressionBody>;

const suppressionView = z
  .object({
    id,
    channel: z.enum(channelIds),
    address: z.string(),
    reason: z.enum(suppressionReasons),
    detail: z.string().nullable().meta({ description: 'The message of the vendor' }),
    delivery_id: id.nullable().meta({ description: 'The delivery whose receipt created the suppression' }),
    created_at: time,
    expires_at: time.nullable(),
  })
  .meta({ id: 'Suppression' });

const suppressionsQuery = filteredPage({
  channel: z.enum(channelIds).optional(),
  address: address.optional(),
  reason: z.enum(suppressionReasons).optional(),
});
type SuppressionsQuery = z.infer<typeof suppressionsQuery>;

@ApiTags('Consent')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/suppressions')
export class SuppressionsController {
  constructor(private readonly suppressions: SuppressionsStore) {}

  @Get()
  @RequireApiKey('suppressions:read')
  @Answers({
    summary: 'List suppressed addresses, newest first',
    status: 200,
    schema: listOf(suppressionView),
    errors: ['validation_failed'],
  })
  async list(@CurrentCaller() { tenantId }: Caller, @Query({ schema: suppressionsQuery }) query: SuppressionsQuery) {
    return listView(await this.suppressions.list(tenantId, query, query), toView);
  }

  @Post()
  @RequireApiKey('suppressions:write')
  @Answers({
    summary: 'Suppress an address',
    status: 201,
    schema: suppressionView,
    errors: ['validation_failed', 'conflict'],
  })
  async create(
    @CurrentCaller() { tenantId }: Caller,
    @Body({ schema: suppressionBody }) body: SuppressionBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { expires_at: expires, ...rest } = body;
    const created = await this.suppressions.create(tenantId, {
      ...rest,
      expiresAt: expires ? new Date(expires) : null,
    });
    reply.header('Location', `/api/v1/suppressions/${created.id}`);
    return toView(created);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireApiKey('suppressions:write')
  @Audited('suppression.removed')
  @Answers({ summary: 'Delete a suppression', status: 204, errors: ['not_found'] })
  async delete(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id: wanted }: { id: string },
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    if (!(await this.suppressions.delete(tenantId, wanted, audit))) throw notFound('suppression', wanted);
  }
}

function toView(suppression: Suppression) {
  const { deliveryId, createdAt, expiresAt, ...rest } = suppression;
  return {
    ...rest,
    delivery_id: deliveryId,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
  };
}
