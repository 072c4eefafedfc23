import { Controller, Delete, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NotificationsStore, ReturnPlaces } from '#database';
import { type DeliveryState, DomainError, notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { idParam, listOf, listView } from '../http/schemas.js';
import { deliveriesQuery, type ListQuery, listQuery } from './notification-query.schema.js';
import { type NotificationView, toDeliveryView, toNotificationView } from './notification-view.js';
import { deliveryView, notificationView } from './notification-view.schema.js';

/** Lists, shows and cancels notifications. */
@ApiTags('Sending')
@Controller('api/v1/notifications')
export class AcceptedNotificationsController {
  constructor(
    private readonly notifications: NotificationsStore,
    private readonly returnPlaces: ReturnPlaces,
  ) {}

  @Get()
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'List notifications, newest first',
    operationId: 'Notifications_list',
    status: 200,
    schema: listOf(notificationView),
    errors: ['validation_failed'],
  })
  async list(@CurrentCaller() caller: Caller, @Query({ schema: listQuery }) query: ListQuery) {
    const { limit, cursor, offset } = query;
    const page = await this.notifications.list(caller.tenantId, filterOf(query), { limit, cursor, offset });
    return listView(page, ({ notification, deliveries }) => toNotificationView(notification, deliveries));
  }

  @Get(':id')
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'Get a notification',
    operationId: 'Notifications_get',
    status: 200,
    schema: notificationView,
    errors: ['not_found'],
  })
  async get(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
  ): Promise<NotificationView> {
    const found = await this.notifications.get(caller.tenantId, id);
    if (!found) throw notFound('notification', id);
    return toNotificationView(found.notification, found.deliveries);
  }

  @Get(':id/deliveries')
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'List the deliveries of a notification',
    operationId: 'Notifications_deliveries',
    status: 200,
    schema: listOf(deliveryView),
    errors: ['not_found', 'validation_failed'],
  })
  async deliveries(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
    @Query({ schema: deliveriesQuery }) { state, ...page }: { limit: number; cursor?: string; state?: DeliveryState },
  ) {
    const found = await this.notifications.deliveries(caller.tenantId, id, page, state);
    if (!found) throw notFound('notification', id);
    return listView(found, toDeliveryView);
  }

  @Delete(':id')
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Cancel a notification. Deliveries of a send to a topic are cancelled in the background',
    operationId: 'Notifications_cancel',
    status: 200,
    schema: notificationView,
    errors: ['not_found', 'too_late'],
  })
  async cancel(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
  ): Promise<NotificationView> {
    const cancelled = await this.notifications.cancel(caller.tenantId, id);
    if (cancelled === null) throw notFound('notification', id);
    const { notification, deliveries } = (await this.notifications.get(caller.tenantId, id))!;
    if (!cancelled.isCancelled) {
      const states = deliveries.map(({ channel, state }) => `${channel} is ${state}`).join(', ') || notification.status;
      throw new DomainError('too_late', `No delivery of notification ${id} could be cancelled: ${states}.`);
    }
    await this.returnPlaces.ofCancelled(caller.tenantId, cancelled.deliveries);
    return toNotificationView(notification, deliveries);
  }
}

function filterOf(query: ListQuery) {
  const metadata = Object.entries(query).flatMap(([name, value]) =>
    name.startsWith('metadata[') ? [[name.slice('metadata['.length, -1), String(value)]] : [],
  );
  return {
    status: query.status,
    recipientId: query.recipient_id,
    channel: query.channel,
    topic: query.topic,
    category: query.category,
    type: query.type,
    createdAfter: query.created_after === undefined ? undefined : new Date(query.created_after),
    createdBefore: query.created_before === undefined ? undefined : new Date(query.created_before),
    metadata: metadata.length > 0 ? Object.fromEntries(metadata) : undefined,
    deleted: query.deleted,
  };
}
