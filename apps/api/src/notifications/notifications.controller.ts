import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { FirstAnswersStore, type NewNotification, NotificationsStore } from '#database';
import { DomainError, notFound } from '#domain';
import { type Caller, type CarillonRequest, CurrentCaller, RequireApiKey } from '../http/access.js';
import { Answers } from '../http/answers.js';
import { bodyHashOf, idempotencyKeyOf, keyRouteOf } from '../http/idempotency.js';
import { LargeBody } from '../http/route-config.js';
import { idParam, listOf, listView } from '../http/schemas.js';
import { AcceptNotification } from './accept-notification.js';
import {
  type BulkBody,
  bulkBody,
  bulkView,
  deliveriesQuery,
  deliveryView,
  emailShorthand,
  type ListQuery,
  listQuery,
  notificationView,
  type SendBody,
  sendBody,
  slackShorthand,
  smsShorthand,
} from './notification.schema.js';
import {
  firstAnswerTo,
  type NotificationView,
  toDeliveryView,
  toFirstAnswer,
  toNotificationView,
} from './notification-view.js';

/** Enough for 1,000 recipients with 50 keys each. */
const BULK_BODY_LIMITS = {
  bytes: 5 * 1024 * 1024,
  keys: 50_000,
  containers: 100_000,
  values: 100_000,
  items: 'recipients',
};
const RETRY_AFTER_SECONDS = 2;
const SEND_ERRORS = [
  'validation_failed',
  'no_address',
  'unknown_template',
  'idempotency_mismatch',
  'unavailable',
] as const;

@ApiTags('Sending')
@Controller('api/v1')
export class NotificationsController {
  constructor(
    @Inject(AcceptNotification) private readonly accept: AcceptNotification,
    @Inject(NotificationsStore) private readonly notifications: NotificationsStore,
    @Inject(FirstAnswersStore) private readonly firstAnswers: FirstAnswersStore,
  ) {}

  @Post('notifications')
  @HttpCode(202)
  @RequireApiKey('notifications:write')
  @Answers({ summary: 'Send to a recipient', status: 202, schema: notificationView, errors: [...SEND_ERRORS] })
  async send(
    @CurrentCaller() caller: Caller,
    @Body({ schema: sendBody }) body: SendBody,
    @Req() request: CarillonRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<NotificationView> {
    return await this.acceptOne(caller, body, request, reply);
  }

  @Post('notifications/bulk')
  @HttpCode(202)
  @RequireApiKey('notifications:write')
  @LargeBody(BULK_BODY_LIMITS)
  @Answers({
    summary: 'Send to up to 1,000 recipients',
    status: 202,
    schema: bulkView,
    errors: ['validation_failed', 'payload_too_large', 'unavailable'],
  })
  async bulk(
    @CurrentCaller() caller: Caller,
    @Body({ schema: bulkBody }) body: BulkBody,
    @Req() request: CarillonRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const header = idempotencyKeyOf(request);
    const { recipients: _each, ...common } = body;
    let route: string | undefined;
    const { accepted, rejected } = await this.accept.runBulk(caller, body, (index, item) => {
      // A key for the whole call is a key for each of its items.
      const { idempotency_key: own, ...rest } = item;
      const key = own ?? (header === null ? null : `${header}#${index}`);
      if (key === null) return null;
      // The common part may be large: it is read once, not once for each item.
      route ??= `${keyRouteOf(request.url, caller.mode)} ${bodyHashOf(request.url, common)}`;
      return { key, bodyHash: bodyHashOf(route, rest) };
    });
    if (accepted.length === 0) {
      const unavailable = rejected.find(({ code }) => code === 'unavailable');
      // Such an item may have been committed, so this is no refusal of all of them.
      if (unavailable)
        throw new DomainError('unavailable', unavailable.errors[0]!.message, {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        });
      const errors = rejected.flatMap(({ index, errors: faults }) =>
        faults.map((fault) => ({ ...fault, pointer: `/recipients/${index}${fault.pointer}` })),
      );
      throw new DomainError('validation_failed', `None of the ${rejected.length} recipients was accepted.`, { errors });
    }
    if (accepted.every(({ replayed }) => replayed)) reply.header('Idempotency-Replayed', 'true');
    return { accepted: accepted.map(({ index, id }) => ({ index, id })), rejected };
  }

  @Post('email')
  @HttpCode(202)
  @RequireApiKey('notifications:write')
  @Answers({ summary: 'Send one e-mail', status: 202, schema: notificationView, errors: [...SEND_ERRORS] })
  async email(
    @CurrentCaller() caller: Caller,
    @Body({ schema: emailShorthand }) body: { message: string; recipient: string; subject?: string },
    @Req() request: CarillonRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<NotificationView> {
    const payload = { subject: body.subject ?? 'Notification', message: body.message };
    return await this.acceptOne(
      caller,
      shorthand('email', { subject: '{{subject}}', text: '{{message}}' }, payload, body.recipient),
      request,
      reply,
    );
  }

  @Post('sms')
  @HttpCode(202)
  @RequireApiKey('notifications:write')
  @Answers({ summary: 'Send one SMS', status: 202, schema: notificationView, errors: [...SEND_ERRORS] })
  async sms(
    @CurrentCaller() caller: Caller,
    @Body({ schema: smsShorthand }) body: { message: string; recipient: string },
    @Req() request: CarillonRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<NotificationView> {
    return await this.acceptOne(
      caller,
      shorthand('sms', { text: '{{message}}' }, { message: body.message }, body.recipient),
      request,
      reply,
    );
  }

  @Post('slack')
  @HttpCode(202)
  @RequireApiKey('notifications:write')
  @Answers({ summary: 'Send one Slack message', status: 202, schema: notificationView, errors: [...SEND_ERRORS] })
  async slack(
    @CurrentCaller() caller: Caller,
    @Body({ schema: slackShorthand }) body: { message: string; recipient?: string },
    @Req() request: CarillonRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<NotificationView> {
    return await this.acceptOne(
      caller,
      shorthand('chat', { text: '{{message}}' }, { message: body.message }, body.recipient),
      request,
      reply,
    );
  }

  @Get('notifications')
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'List notifications, newest first',
    status: 200,
    schema: listOf(notificationView),
    errors: ['validation_failed'],
  })
  async list(@CurrentCaller() caller: Caller, @Query({ schema: listQuery }) query: ListQuery) {
    const metadata = Object.fromEntries(
      Object.entries(query).flatMap(([name, value]) =>
        name.startsWith('metadata[') ? [[name.slice('metadata['.length, -1), String(value)]] : [],
      ),
    );
    const page = await this.notifications.list(
      caller.tenantId,
      {
        status: query.status,
        recipientId: query.recipient_id,
        channel: query.channel,
        category: query.category,
        type: query.type,
        createdAfter: query.created_after === undefined ? undefined : new Date(query.created_after),
        createdBefore: query.created_before === undefined ? undefined : new Date(query.created_before),
        metadata: Object.keys(metadata).length > 0 ? metadata : undefined,
        deleted: query.deleted,
      },
      { limit: query.limit, cursor: query.cursor, offset: query.offset },
    );
    return listView(page, ({ notification, deliveries }) => toNotificationView(notification, deliveries));
  }

  @Get('notifications/:id')
  @RequireApiKey('notifications:read')
  @Answers({ summary: 'Get a notification', status: 200, schema: notificationView, errors: ['not_found'] })
  async get(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
  ): Promise<NotificationView> {
    const found = await this.notifications.get(caller.tenantId, id);
    if (!found) throw notFound('notification', id);
    return toNotificationView(found.notification, found.deliveries);
  }

  @Get('notifications/:id/deliveries')
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'List the deliveries of a notification',
    status: 200,
    schema: listOf(deliveryView),
    errors: ['not_found', 'validation_failed'],
  })
  async deliveries(
    @CurrentCaller() caller: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
    @Query({ schema: deliveriesQuery }) {
      state,
      ...page
    }: { limit: number; cursor?: string; state?: DeliveryStateName },
  ) {
    const found = await this.notifications.deliveries(caller.tenantId, id, page, state);
    if (!found) throw notFound('notification', id);
    return listView(found, toDeliveryView);
  }

  @Delete('notifications/:id')
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Cancel a notification',
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
    if (cancelled.length === 0) {
      throw new DomainError(
        'too_late',
        `Nothing of notification ${id} could be cancelled: ${deliveries.map(({ channel, state }) => `${channel} is ${state}`).join(', ')}.`,
      );
    }
    return toNotificationView(notification, deliveries);
  }

  private async acceptOne(
    caller: Caller,
    body: SendBody,
    request: CarillonRequest,
    reply: FastifyReply,
  ): Promise<NotificationView> {
    const result = await this.accept.run(caller, body, idempotencyOf(caller, request));
    if (result.kind === 'accepted') {
      reply.header('Location', `/api/v1/notifications/${result.acceptance.notification.id}`);
      return firstAnswerTo(result.acceptance, result.createdAt);
    }
    const first = await this.firstAnswers.get(caller.tenantId, result.notificationId);
    if (!first) throw notFound('notification', result.notificationId);
    reply.header('Location', `/api/v1/notifications/${result.notificationId}`).header('Idempotency-Replayed', 'true');
    return toFirstAnswer(first.notification, first.deliveries);
  }
}

type DeliveryStateName = DeliveryView['state'];
type DeliveryView = ReturnType<typeof toDeliveryView>;

/** The header, or the field of the body; the field takes no part in what makes two bodies the same. */
function idempotencyOf({ mode }: Caller, request: CarillonRequest): NewNotification['idempotency'] {
  const { idempotency_key: field, ...body } = request.body as { idempotency_key?: string };
  const key = idempotencyKeyOf(request) ?? field ?? null;
  return key === null ? null : { key, bodyHash: bodyHashOf(keyRouteOf(request.url, mode), body) };
}

/** The words travel as payload, not as a template: braces in a message stay braces. */
function shorthand(
  channel: 'email' | 'sms' | 'chat',
  content: Record<string, string>,
  payload: Record<string, string>,
  recipient: string | undefined,
): SendBody {
  // The address stands for the person: their limits and their preferences are kept under it.
  return {
    recipient_id: (recipient ?? channel).slice(0, 255),
    channel,
    content,
    payload,
    category: 'default',
    priority: 5,
    ...(recipient !== undefined && { recipient_address: recipient }),
  };
}
