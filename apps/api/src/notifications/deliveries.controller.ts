import { Body, Controller, Get, HttpCode, Param, Post, Query, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type DeliveryFilter, DeliverySearchStore, NotificationsStore, ReceiptsStore } from '#database';
import { DomainError, notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { idParam, listView } from '../http/schemas.js';
import { type SearchQuery, searchQuery } from './notification-query.schema.js';
import { type TimelineView, toFoundDeliveryView, toTimelineView } from './notification-view.js';
import { foundDeliveriesView, timelineView } from './notification-view.schema.js';

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
    private readonly searches: DeliverySearchStore,
  ) {}

  @Get()
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'Search deliveries, newest first',
    status: 200,
    schema: foundDeliveriesView,
    errors: ['validation_failed'],
  })
  async list(@CurrentCaller() caller: Caller, @Query({ schema: searchQuery }) query: SearchQuery) {
    const page = await this.searches.search(caller.tenantId, filterOf(query), query);
    return {
      ...listView(page, toFoundDeliveryView),
      searched_until: page.searchedUntil?.toISOString() ?? null,
    };
  }

  @Get(':id')
  @RequireApiKey('notifications:read')
  @Answers({ summary: 'Get a delivery with its timeline', status: 200, schema: timelineView, errors: ['not_found'] })
  async get(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
  ): Promise<TimelineView> {
    const found = await this.notifications.delivery(caller.tenantId, id);
    if (!found) throw notFound('delivery', id);
    return toTimelineView(found);
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

function filterOf(query: SearchQuery): DeliveryFilter {
  return {
    recipientId: query.recipient_id,
    address: query.address,
    channel: query.channel,
    states: query.state,
    reason: query.reason,
    category: query.category,
    notificationId: query.notification_id,
    template: query.template,
    providerAccountId: query.provider_account_id,
    createdFrom: query.created_from === undefined ? undefined : new Date(query.created_from),
    createdTo: query.created_to === undefined ? undefined : new Date(query.created_to),
  };
}
