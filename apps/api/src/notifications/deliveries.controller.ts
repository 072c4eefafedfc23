import { Controller, Get, Inject, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NotificationsStore } from '#database';
import { notFound } from '#domain';
import { type Caller, FromCaller, TenantKey } from '../http/access.js';
import { Answers } from '../http/answers.js';
import { idParam } from '../http/schemas.js';
import { timelineView } from './notification.schema.js';
import { type TimelineView, toTimelineView } from './notification-view.js';

@ApiTags('Sending')
@Controller('api/v1/deliveries')
export class DeliveriesController {
  constructor(@Inject(NotificationsStore) private readonly notifications: NotificationsStore) {}

  @Get(':id')
  @TenantKey('notifications:read')
  @Answers({ summary: 'Get a delivery with its timeline', status: 200, schema: timelineView, errors: ['not_found'] })
  async get(@FromCaller() caller: Caller, @Param({ schema: idParam }) { id }: { id: string }): Promise<TimelineView> {
    const found = await this.notifications.delivery(caller.tenantId, id);
    if (!found) throw notFound('delivery', id);
    return toTimelineView(found.delivery, found.timeline);
  }
}
