import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { FirstAnswersStore, type NewNotification } from '#database';
import { DomainError, notFound } from '#domain';
import { type Caller, type CarillonRequest, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { BULK_BODY_LIMITS } from '../http/body-shape.js';
import { bodyHashOf, idempotencyKeyOf } from '../http/idempotency.js';
import { AcceptsNotifications, LimitedBody } from '../http/route-config.js';
import { SkipIdempotency } from '../http/skip-idempotency.js';
import { AcceptBulk, type AcceptedItem, type RejectedItem } from './accept-bulk.js';
import { AcceptNotification } from './accept-notification.js';
import {
  type BulkBody,
  type BulkItem,
  bulkBody,
  emailShorthand,
  type SendBody,
  sendBody,
  slackShorthand,
  smsShorthand,
} from './notification.schema.js';
import { type NotificationView, toFirstAnswer } from './notification-view.js';
import { bulkView, notificationView } from './notification-view.schema.js';
import { type AcceptCounts, countsOfOne, observeAccept } from './observe-accept.js';

const RETRY_AFTER_SECONDS = 2;
const SEND_ERRORS = [
  'validation_failed',
  'no_address',
  'unknown_template',
  'idempotency_mismatch',
  'unavailable',
] as const;

/** Accepts sends. */
@ApiTags('Sending')
@Controller('api/v1')
export class NotificationsController {
  constructor(
    private readonly acceptNotification: AcceptNotification,
    private readonly acceptBulk: AcceptBulk,
    private readonly firstAnswers: FirstAnswersStore,
  ) {}

  @Post('notifications')
  @HttpCode(202)
  @AcceptsNotifications()
  @SkipIdempotency()
  @RequireApiKey('notifications:write')
  @Answers({
    summary: 'Send to a recipient, or to the subscribers of a topic',
    status: 202,
    schema: notificationView,
    errors: [...SEND_ERRORS],
  })
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
  @AcceptsNotifications()
  @SkipIdempotency()
  @RequireApiKey('notifications:write')
  @LimitedBody(BULK_BODY_LIMITS)
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
    const { accepted, rejected } = await observeAccept(
      { intake: 'bulk', tenantId: caller.tenantId },
      () => this.acceptBulk.run(caller, body, bulkIdempotencyOf(body, request)),
      countsOfBulk,
    );
    if (accepted.length === 0) throw nothingAccepted(rejected);
    if (accepted.every(({ replayed }) => replayed)) reply.header('Idempotency-Replayed', 'true');
    return { accepted: accepted.map(({ index, id }) => ({ index, id })), rejected };
  }

  @Post('email')
  @HttpCode(202)
  @AcceptsNotifications()
  @SkipIdempotency()
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
  @AcceptsNotifications()
  @SkipIdempotency()
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
  @AcceptsNotifications()
  @SkipIdempotency()
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

  private async acceptOne(
    caller: Caller,
    body: SendBody,
    request: CarillonRequest,
    reply: FastifyReply,
  ): Promise<NotificationView> {
    const result = await observeAccept(
      { intake: body.topic === undefined ? 'single' : 'topic', tenantId: caller.tenantId },
      () => this.acceptNotification.run(caller, body, idempotencyOf(request)),
      countsOfOne,
    );
    if (result.kind === 'accepted') {
      reply.header('Location', `/api/v1/notifications/${result.first.notification.id}`);
      return toFirstAnswer(result.first);
    }
    const first = await this.firstAnswers.get(caller.tenantId, result.notificationId);
    if (!first) throw notFound('notification', result.notificationId);
    reply.header('Location', `/api/v1/notifications/${result.notificationId}`).header('Idempotency-Replayed', 'true');
    return toFirstAnswer(first);
  }
}

function countsOfBulk({ accepted, rejected }: { accepted: AcceptedItem[]; rejected: RejectedItem[] }): AcceptCounts {
  const replayed = accepted.filter((item) => item.replayed).length;
  return { accepted: accepted.length - replayed, replayed, rejected: rejected.length };
}

/** The key is the header or the field of the body. The field is not part of the body hash. */
function idempotencyOf(request: CarillonRequest): NewNotification['idempotency'] {
  const { idempotency_key: field, ...body } = request.body as { idempotency_key?: string };
  const key = idempotencyKeyOf(request) ?? field ?? null;
  return key === null ? null : { key, bodyHash: bodyHashOf(request.url, body) };
}

/** An item's own key, or the key in the header with the index of the item appended. */
function bulkIdempotencyOf(body: BulkBody, request: CarillonRequest) {
  const header = idempotencyKeyOf(request);
  const { recipients: _each, ...shared } = body;
  // Hashes the shared part, which may be large, once instead of once for each item.
  let route: string | undefined;
  return (index: number, { idempotency_key: own, ...item }: BulkItem): NewNotification['idempotency'] => {
    const key = own ?? (header === null ? null : `${header}#${index}`);
    if (key === null) return null;
    route ??= `${request.url} ${bodyHashOf(request.url, shared)}`;
    return { key, bodyHash: bodyHashOf(route, item) };
  };
}

function nothingAccepted(rejected: RejectedItem[]): DomainError {
  const unavailable = rejected.find(({ code }) => code === 'unavailable');
  // Such an item may have been committed, so the answer must not say that all were rejected.
  if (unavailable)
    return new DomainError('unavailable', unavailable.errors[0]!.message, { retryAfterSeconds: RETRY_AFTER_SECONDS });
  const errors = rejected.flatMap(({ index, errors: itemErrors }) =>
    itemErrors.map((error) => ({ ...error, pointer: `/recipients/${index}${error.pointer}` })),
  );
  return new DomainError('validation_failed', `None of the ${rejected.length} recipients was accepted.`, { errors });
}

/** The message is in the payload, not in the template source, so braces in it have no meaning. */
function shorthand(
  channel: 'email' | 'sms' | 'chat',
  content: Record<string, string>,
  payload: Record<string, string>,
  recipient: string | undefined,
): SendBody {
  // The address is also the recipient id, so the recipient's limits and preferences apply.
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
