import { Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type AuditNote, DeadLettersStore } from '#database';
import { notFound } from '#domain';
import { RequireOperator } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import {
  type CountQuery,
  countQuery,
  countView,
  filterOf,
  type LettersQuery,
  lettersQuery,
  letterView,
  toCountView,
  toLetterView,
} from '../dead-letters/dead-letter.schema.js';
import { Answers } from '../http/answers.js';
import { idParam, listOf, listView } from '../http/schemas.js';

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
    return listView(await this.letters.list(null, filterOf(query), query), toLetterView);
  }

  @Get('count')
  @RequireOperator()
  @Answers({ summary: 'Count dead letters', status: 200, schema: countView, errors: ['validation_failed'] })
  async count(@Query({ schema: countQuery }) query: CountQuery) {
    return toCountView(await this.letters.count(null, filterOf(query)));
  }

  @Get(':id')
  @RequireOperator()
  @Answers({ summary: 'Get a dead letter', status: 200, schema: letterView, errors: ['not_found'] })
  async get(@Param({ schema: idParam }) { id: wanted }: { id: string }) {
    const found = await this.letters.get(null, wanted);
    if (!found) throw notFound('dead letter', wanted);
    return toLetterView(found);
  }

  @Post(':id/replay')
  @HttpCode(202)
  @RequireOperator({ role: 'operator' })
  @Audited('dead_letter.replayed')
  @Answers({
    summary: 'Replay a dead letter. Possible once',
    status: 202,
    schema: letterView,
    errors: ['not_found', 'already_replayed', 'conflict'],
  })
  async replay(@Param({ schema: idParam }) { id: wanted }: { id: string }, @CurrentAudit() audit: AuditNote) {
    return toLetterView(await this.letters.replay(null, wanted, audit));
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireOperator({ role: 'operator' })
  @Audited('dead_letter.discarded')
  @Answers({ summary: 'Discard a dead letter', status: 204, errors: ['not_found'] })
  async delete(
    @Param({ schema: idParam }) { id: wanted }: { id: string },
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    if (!(await this.letters.delete(null, wanted, audit))) throw notFound('dead letter', wanted);
  }
}
