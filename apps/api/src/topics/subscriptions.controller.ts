import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Res, UseInterceptors } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { SubscriptionsStore } from '#database';
import { notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { listOf, listView, pageQuery } from '../http/schemas.js';
import { recipientParam } from '../recipients/recipient.schema.js';
import {
  keyParam,
  memberParam,
  type SubscribeBody,
  type SubscriptionBody,
  subscribeBody,
  subscribedView,
  subscriptionBody,
  subscriptionView,
  toSubscriptionView,
  type UnsubscribeBody,
  unsubscribeBody,
  unsubscribedView,
} from './topic.schema.js';

interface KeyParam {
  key: string;
}
interface MemberParam extends KeyParam {
  recipient_id: string;
}
interface PageQuery {
  limit: number;
  cursor?: string;
}

@ApiTags('Topics')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1')
export class SubscriptionsController {
  constructor(private readonly subscriptions: SubscriptionsStore) {}

  @Get('topics/:key/subscriptions')
  @RequireApiKey('topics:read')
  @Answers({
    summary: 'List the subscriptions of a topic, by recipient',
    operationId: 'Subscriptions_ofTopic',
    status: 200,
    schema: listOf(subscriptionView),
    errors: ['not_found', 'validation_failed'],
  })
  async ofTopic(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: keyParam }) { key }: KeyParam,
    @Query({ schema: pageQuery }) page: PageQuery,
  ) {
    const found = await this.subscriptions.ofTopic(tenantId, key, page);
    if (!found) throw notFound('topic', key);
    return listView(found, toSubscriptionView);
  }

  @Post('topics/:key/subscriptions')
  @HttpCode(200)
  @RequireApiKey('topics:write')
  @Answers({
    summary: 'Subscribe up to 1,000 recipients',
    operationId: 'Subscriptions_subscribe',
    status: 200,
    schema: subscribedView,
    errors: ['not_found', 'validation_failed'],
  })
  async subscribe(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: keyParam }) { key }: KeyParam,
    @Body({ schema: subscribeBody }) { recipient_ids: recipientIds, channels }: SubscribeBody,
  ) {
    const result = await this.subscriptions.subscribe(tenantId, key, { recipientIds, channels });
    if (!result) throw notFound('topic', key);
    return result;
  }

  @Post('topics/:key/unsubscribe')
  @HttpCode(200)
  @RequireApiKey('topics:write')
  @Answers({
    summary: 'Unsubscribe up to 1,000 recipients',
    operationId: 'Subscriptions_unsubscribe',
    status: 200,
    schema: unsubscribedView,
    errors: ['not_found', 'validation_failed'],
  })
  async unsubscribe(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: keyParam }) { key }: KeyParam,
    @Body({ schema: unsubscribeBody }) body: UnsubscribeBody,
  ) {
    const unsubscribed = await this.subscriptions.unsubscribe(tenantId, key, body.recipient_ids);
    if (unsubscribed === null) throw notFound('topic', key);
    return { unsubscribed };
  }

  @Put('topics/:key/subscriptions/:recipient_id')
  @RequireApiKey('topics:write')
  @Answers({
    summary: 'Subscribe a recipient, or change the channels of a subscription',
    operationId: 'Subscriptions_put',
    status: 200,
    creates: true,
    schema: subscribedView,
    errors: ['not_found', 'validation_failed'],
  })
  async put(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: memberParam }) { key, recipient_id: recipientId }: MemberParam,
    @Body({ schema: subscriptionBody }) { channels }: SubscriptionBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const result = await this.subscriptions.subscribe(tenantId, key, { recipientIds: [recipientId], channels });
    if (!result) throw notFound('topic', key);
    if (result.subscribed > 0) reply.status(201);
    return result;
  }

  @Delete('topics/:key/subscriptions/:recipient_id')
  @HttpCode(204)
  @RequireApiKey('topics:write')
  @Answers({
    summary: 'Unsubscribe a recipient',
    operationId: 'Subscriptions_delete',
    status: 204,
    errors: ['not_found'],
  })
  async delete(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: memberParam }) { key, recipient_id: recipientId }: MemberParam,
  ): Promise<void> {
    const unsubscribed = await this.subscriptions.unsubscribe(tenantId, key, [recipientId]);
    if (unsubscribed === null) throw notFound('topic', key);
    if (unsubscribed === 0) throw notFound('subscription', recipientId);
  }

  @Get('recipients/:id/subscriptions')
  @RequireApiKey('topics:read')
  @Answers({
    summary: 'List the subscriptions of a recipient, by topic',
    operationId: 'Subscriptions_ofRecipient',
    status: 200,
    schema: listOf(subscriptionView),
    errors: ['validation_failed'],
  })
  async ofRecipient(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: { id: string },
    @Query({ schema: pageQuery }) page: PageQuery,
  ) {
    return listView(await this.subscriptions.ofRecipient(tenantId, id, page), toSubscriptionView);
  }
}
