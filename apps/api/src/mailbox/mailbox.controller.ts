import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type MailboxMessage, MailboxStore } from '#database';
import { channelIds, notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { filteredPage, id, idParam, jsonObject, listOf, listView, time } from '../http/schemas.js';

const messageView = z
  .object({
    id,
    channel: z.enum(channelIds),
    to: z.string(),
    delivery_id: id,
    notification_id: id,
    message: jsonObject,
    outcome: z.string(),
    created_at: time,
  })
  .meta({ id: 'MailboxMessage' });
const mailboxQuery = filteredPage({ channel: z.enum(channelIds).optional(), to: z.string().max(4_096).optional() });

@ApiTags('Mailbox')
@Controller('api/v1/mailbox')
export class MailboxController {
  constructor(private readonly mailbox: MailboxStore) {}

  @Get()
  @RequireApiKey('mailbox:read')
  @Answers({
    summary: 'List messages captured by the sandbox, newest first',
    status: 200,
    schema: listOf(messageView),
    errors: ['validation_failed'],
  })
  async list(
    @CurrentCaller() { tenantId }: Caller,
    @Query({ schema: mailboxQuery }) {
      channel,
      to,
      ...page
    }: { limit: number; cursor?: string; channel?: string; to?: string },
  ) {
    return listView(await this.mailbox.list(tenantId, { channel, to }, page), toView);
  }

  @Get(':id')
  @RequireApiKey('mailbox:read')
  @Answers({ summary: 'Get a captured message', status: 200, schema: messageView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id: wanted }: { id: string }) {
    const found = await this.mailbox.get(tenantId, wanted);
    if (!found) throw notFound('message', wanted);
    return toView(found);
  }

  @Delete()
  @HttpCode(204)
  @RequireApiKey('mailbox:write')
  @Answers({ summary: 'Empty the mailbox', status: 204 })
  async empty(@CurrentCaller() { tenantId }: Caller): Promise<void> {
    await this.mailbox.empty(tenantId);
  }
}

function toView(message: MailboxMessage) {
  return {
    id: message.id,
    channel: message.channel,
    to: message.to,
    delivery_id: message.deliveryId,
    notification_id: message.notificationId,
    message: message.message,
    outcome: message.outcome,
    created_at: message.createdAt.toISOString(),
  };
}
