import { Body, Controller, Get, HttpCode, Param, Post, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { NotificationsStore, ReceiptsStore } from '#database';
import { DomainError, notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { idParam } from '../http/schemas.js';
import { type TimelineView, toTimelineView } from './notification-view.js';
import { timelineView } from './notification-view.schema.js';

const settleBody = z
  .strictObject({
    state: z
      .enum(['sent', 'failed'])
      .meta({ description: 'sent: the recipient has the message; failed: the recipient does not' }),
    note: z.string().min(1).max(1_000).optional().meta({ description: 'How you know. Shown in the timeline' }),
  })
  .meta({ id: 'SettleBody' });
type SettleBody = z.infer<typeof settleBody>;

@ApiTags('Sending')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/deliveries')
export class DeliveriesController {
  constructor(
    private readonly notifications: NotificationsStore,
    private readonly receipts: ReceiptsStore,
  ) {}

  @Get(':id')
  @RequireApiKey('notifications:read')
  @Answers({ summary: 'Get a delivery with its timeline', status: 200, schema: timelineView, errors: ['not_found'] })
  async get(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
  ): Promise<TimelineView> {
    const found = await this.notifications.delivery(caller.tenantId, id);
    if (!found) throw notFound('delivery', id);
    return toTimelineView(found.delivery, found.timeline);
  }

  @Post(':id/settle')
  @HttpCode(200)
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Resolve an unknown outcome',
    status: 200,
    schema: timelineView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async settle(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
    @Body({ schema: settleBody }) { state, note }: SettleBody,
  ): Promise<TimelineView> {
    const before = await this.receipts.resolveUnknown(caller.tenantId, id, state, note ?? null);
    if (before === null) throw notFound('delivery', id);
    if (before !== 'unknown')
      throw new DomainError('conflict', `Only a delivery in state unknown can be settled; this one is ${before}.`);
    return await this.get(caller, { id });
  }
}
