import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { type ChannelFigures, OverviewStore } from '#database';
import { channelIds } from '#domain';
import { RequireOperator } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { id, time } from '../http/schemas.js';

const figures = {
  waiting: z.int().meta({ description: 'Deliveries that are not final' }),
  due: z.int().meta({ description: 'Deliveries that are due and not claimed' }),
  in_flight: z.int(),
  oldest_due_seconds: z.number(),
};
const overviewView = z
  .object({
    ...figures,
    counted_at: time.meta({
      description:
        'When the queue was counted: during this request if it is short, otherwise earlier in the background',
    }),
    dead_letters: z.int().meta({ description: 'Neither replayed nor settled. Counted up to 10,000' }),
    channels: z.record(z.enum(channelIds), z.object(figures)),
    tenants: z
      .array(
        z.object({
          id,
          name: z.string(),
          test_of: id.nullable().meta({ description: 'Only for a test tenant: the tenant that it belongs to' }),
          due: z.int(),
        }),
      )
      .meta({ description: 'The 20 tenants with the most due deliveries' }),
    breakers: z
      .array(
        z.object({
          tenant_id: id,
          account_id: id,
          name: z.string(),
          provider: z.string(),
          channel: z.enum(channelIds),
          breaker: z.enum(['half_open', 'open']),
          code: z.string().nullable(),
          detail: z.string().nullable(),
          since: time,
        }),
      )
      .meta({ description: 'Provider accounts whose breaker is not closed, oldest first, at most 100' }),
  })
  .meta({ id: 'Overview' });

@ApiTags('Operator')
@Controller('internal/overview')
export class OverviewController {
  constructor(private readonly overview: OverviewStore) {}

  @Get()
  @RequireOperator()
  @Answers({ summary: 'Get queue sizes, dead letters and open breakers', status: 200, schema: overviewView })
  async get() {
    const { countedAt, channels, deadLetters, tenants, breakers } = await this.overview.read();
    const byChannel = new Map(channels.map((row) => [row.channel, row]));
    const sum = (field: 'waiting' | 'due' | 'inFlight'): number =>
      channels.reduce((total, row) => total + row[field], 0);
    return {
      waiting: sum('waiting'),
      due: sum('due'),
      in_flight: sum('inFlight'),
      oldest_due_seconds: Math.max(0, ...channels.map((row) => row.oldestDueSeconds)),
      counted_at: countedAt.toISOString(),
      dead_letters: deadLetters,
      channels: Object.fromEntries(channelIds.map((channel) => [channel, toView(byChannel.get(channel))])),
      tenants: tenants.map(({ testOf, ...tenant }) => ({ ...tenant, test_of: testOf })),
      breakers: breakers.map(({ tenantId, accountId, since, ...rest }) => ({
        tenant_id: tenantId,
        account_id: accountId,
        ...rest,
        since: since.toISOString(),
      })),
    };
  }
}

function toView(row: ChannelFigures | undefined) {
  const { waiting = 0, due = 0, inFlight = 0, oldestDueSeconds = 0 } = row ?? {};
  return { waiting, due, in_flight: inFlight, oldest_due_seconds: oldestDueSeconds };
}
