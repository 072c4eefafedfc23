import { Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type AuditNote, type DeadLetter, DeadLettersStore } from '#database';
import { channelIds, failedReasons, notFound } from '#domain';
import { RequireOperator } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { filteredPage, flag, id, idParam, listOf, listView, time } from '../http/schemas.js';

const letterView = z
  .object({
    id,
    tenant_id: id,
    delivery_id: id,
    notification_id: id,
    recipient_id: z.string(),
    channel: z.enum(channelIds),
    provider: z.string().nullable(),
    reason: z.enum(failedReasons),
    code: z.string().nullable(),
    detail: z.string().nullable(),
    attempts: z.int(),
    failed_at: time,
    replayed_at: time.nullable(),
    settled_at: time.nullable().meta({ description: 'When a receipt showed that the message was sent' }),
  })
  .meta({ id: 'DeadLetter' });

const lettersQuery = filteredPage({
  tenant_id: id.optional(),
  channel: z.enum(channelIds).optional(),
  provider: z.string().max(64).optional(),
  reason: z.enum(failedReasons).optional(),
  failed_after: time.optional(),
  failed_before: time.optional(),
  unreplayed: flag.optional(),
});
type LettersQuery = z.infer<typeof lettersQuery>;

@ApiTags('Operator')
@Controller('internal/dlq')
export class DeadLettersController {
  constructor(private readonly letters: DeadLettersStore) {}

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List dead letters, newest first',
    status: 200,
    schema: listOf(letterView),
    errors: ['validation_failed'],
  })
  async list(@Query({ schema: lettersQuery }) query: LettersQuery) {
    const filter = {
      tenantId: query.tenant_id,
      channel: query.channel,
      provider: query.provider,
      reason: query.reason,
      failedAfter: query.failed_after === undefined ? undefined : new Date(query.failed_after),
      failedBefore: query.failed_before === undefined ? undefined : new Date(query.failed_before),
      unreplayed: query.unreplayed,
    };
    return listView(await this.letters.list(filter, { limit: query.limit, cursor: query.cursor }), toView);
  }

  @Get(':id')
  @RequireOperator()
  @Answers({ summary: 'Get a dead letter', status: 200, schema: letterView, errors: ['not_found'] })
  async get(@Param({ schema: idParam }) { id: wanted }: { id: string }) {
    const found = await this.letters.get(wanted);
    if (!found) throw notFound('dead letter', wanted);
    return toView(found);
  }

  @Post(':id/replay')
  @HttpCode(202)
  @RequireOperator()
  @Audited('dead_letter.replayed')
  @Answers({
    summary: 'Replay a dead letter. Possible once',
    status: 202,
    schema: letterView,
    errors: ['not_found', 'already_replayed', 'conflict'],
  })
  async replay(@Param({ schema: idParam }) { id: wanted }: { id: string }, @CurrentAudit() audit: AuditNote) {
    return toView(await this.letters.replay(wanted, audit));
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireOperator()
  @Audited('dead_letter.discarded')
  @Answers({ summary: 'Discard a dead letter', status: 204, errors: ['not_found'] })
  async delete(
    @Param({ schema: idParam }) { id: wanted }: { id: string },
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    if (!(await this.letters.delete(wanted, audit))) throw notFound('dead letter', wanted);
  }
}

function toView(letter: DeadLetter) {
  return {
    id: letter.id,
    tenant_id: letter.tenantId,
    delivery_id: letter.deliveryId,
    notification_id: letter.notificationId,
    recipient_id: letter.recipientId,
    channel: letter.channel,
    provider: letter.provider,
    reason: letter.reason,
    code: letter.code,
    detail: letter.detail,
    attempts: letter.attempts,
    failed_at: letter.failedAt.toISOString(),
    replayed_at: letter.replayedAt?.toISOString() ?? null,
    settled_at: letter.settledAt?.toISOString() ?? null,
  };
}
