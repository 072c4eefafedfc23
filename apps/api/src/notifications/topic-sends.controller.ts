import { Controller, HttpCode, Param, Post, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { JobsStore, NotificationsStore } from '#database';
import { DomainError, notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { idParam } from '../http/schemas.js';
import { type NotificationView, toNotificationView } from './notification-view.js';
import { notificationView } from './notification-view.schema.js';

interface IdParam {
  id: string;
}

/** Pauses and resumes sends to topics. */
@ApiTags('Sending')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/notifications')
export class TopicSendsController {
  constructor(
    private readonly jobs: JobsStore,
    private readonly notifications: NotificationsStore,
  ) {}

  @Post(':id/pause')
  @HttpCode(200)
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Pause a send to a topic. Deliveries that exist are still sent',
    operationId: 'Notifications_pause',
    status: 200,
    schema: notificationView,
    errors: ['not_found', 'conflict'],
  })
  async pause(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return await this.move(tenantId, id, 'paused');
  }

  @Post(':id/resume')
  @HttpCode(200)
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Resume a send to a topic',
    operationId: 'Notifications_resume',
    status: 200,
    schema: notificationView,
    errors: ['not_found', 'conflict'],
  })
  async resume(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: IdParam) {
    return await this.move(tenantId, id, 'running');
  }

  private async move(tenantId: string, id: string, state: 'paused' | 'running'): Promise<NotificationView> {
    const job = await this.jobs.move(tenantId, id, state);
    const found = await this.notifications.get(tenantId, id);
    if (!found) throw notFound('notification', id);
    if (!job) throw new DomainError('conflict', `The notification ${id} is not a send to a topic.`);
    return toNotificationView(found.notification, found.deliveries);
  }
}
