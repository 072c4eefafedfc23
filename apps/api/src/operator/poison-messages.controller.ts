import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { PoisonMessagesStore } from '#database';
import { wholeNumber } from '#domain';
import { RequireOperator } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { time } from '../http/schemas.js';

const poisonView = z
  .object({
    topic: z.string(),
    partition: z.int(),
    offset: z.string(),
    key: z.string().nullable().describe('Base64'),
    value: z.string().nullable().describe('The first 64 kB in base64'),
    reason: z.string(),
    created_at: time,
  })
  .meta({ id: 'PoisonMessage' });

const poisonQuery = z.strictObject({ limit: wholeNumber(1, 200).default(50) });

/** Kafka messages that could not be processed, so that the operator can find their producer. */
@ApiTags('Operator')
@Controller('internal/poison-messages')
export class PoisonMessagesController {
  constructor(private readonly poison: PoisonMessagesStore) {}

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List messages that could not be processed, newest first',
    status: 200,
    schema: z.object({ data: z.array(poisonView) }),
    errors: ['validation_failed'],
  })
  async list(@Query({ schema: poisonQuery }) { limit }: z.infer<typeof poisonQuery>) {
    const rows = await this.poison.list(limit);
    return {
      data: rows.map(({ createdAt, key, value, ...row }) => ({
        ...row,
        key: key?.toString('base64') ?? null,
        value: value?.toString('base64') ?? null,
        created_at: createdAt.toISOString(),
      })),
    };
  }
}
