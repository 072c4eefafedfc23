import { z } from 'zod';
import type { DeadLetter, DeadLetterFilter, LetterCount } from '#database';
import { channelIds, failedReasons } from '#domain';
import { providers } from '#providers';
import { filteredPage, flag, id, time } from '../http/schemas.js';

const fields = {
  id,
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
};

export const tenantLetterView = z.object(fields).meta({ id: 'TenantDeadLetter' });
export const letterView = z.object({ ...fields, tenant_id: id }).meta({ id: 'DeadLetter' });

const conditions = {
  channel: z.enum(channelIds).optional(),
  provider: z.enum(Object.keys(providers)).optional(),
  reason: z.enum(failedReasons).optional(),
  code: z.string().min(1).max(255).optional().meta({ description: "The vendor's code, as the dead letter has it" }),
  failed_after: time.optional(),
  failed_before: time.optional(),
};
const filters = { ...conditions, unreplayed: flag.optional() };

export const tenantLettersQuery = filteredPage(filters);
export type TenantLettersQuery = z.infer<typeof tenantLettersQuery>;

export const tenantCountQuery = z.strictObject(filters);
export type TenantCountQuery = z.infer<typeof tenantCountQuery>;

export const lettersQuery = filteredPage({ tenant_id: id.optional(), ...filters });
export type LettersQuery = z.infer<typeof lettersQuery>;

export const countQuery = z.strictObject({ tenant_id: id.optional(), ...filters });
export type CountQuery = z.infer<typeof countQuery>;

const atLeast = z
  .literal(true)
  .optional()
  .meta({ description: 'Present if there are more dead letters than a count examines: `count` is a minimum' });

export const countView = z.object({ count: z.int(), at_least: atLeast });

function replayOf<Shape extends z.ZodRawShape>(filter: Shape) {
  return z.strictObject({
    filter: z.strictObject(filter).meta({ description: 'An empty one matches all' }),
    rate_per_second: z
      .number()
      .min(0.01)
      .max(100_000)
      .nullable()
      .optional()
      .meta({ description: 'Dead letters a second; null: as fast as possible' }),
    dry_run: z.boolean().optional(),
  });
}

export const replayBody = replayOf(conditions).meta({ id: 'DeadLetterReplay' });
export type ReplayBody = z.infer<typeof replayBody>;

export const operatorReplayBody = replayOf({ tenant_id: id.optional(), ...conditions }).meta({
  id: 'OperatorDeadLetterReplay',
});
export type OperatorReplayBody = z.infer<typeof operatorReplayBody>;

export const dryRunView = z.object({
  dry_run: z.literal(true),
  count: z.int().meta({ description: 'Dead letters that a replay would put back into the queue' }),
  at_least: atLeast,
});

/** The filter of a query or a body. */
export function filterOf(given: Omit<CountQuery, 'tenant_id'> & { tenant_id?: string | undefined }): DeadLetterFilter {
  return {
    tenantId: given.tenant_id,
    channel: given.channel,
    provider: given.provider,
    reason: given.reason,
    code: given.code,
    failedAfter: given.failed_after === undefined ? undefined : new Date(given.failed_after),
    failedBefore: given.failed_before === undefined ? undefined : new Date(given.failed_before),
    unreplayed: given.unreplayed,
  };
}

export function toCountView({ count, isComplete }: LetterCount): z.infer<typeof countView> {
  return isComplete ? { count } : { count, at_least: true };
}

export function toTenantLetterView(letter: DeadLetter): z.infer<typeof tenantLetterView> {
  const { tenant_id: _tenant, ...view } = toLetterView(letter);
  return view;
}

export function toLetterView(letter: DeadLetter) {
  return {
    id: letter.id,
    tenant_id: letter.tenantId,
    delivery_id: letter.deliveryId,
    notification_id: letter.notificationId,
    recipient_id: letter.recipientId,
    channel: letter.channel,
    provider: letter.provider,
    reason: letter.reason as z.infer<typeof letterView>['reason'],
    code: letter.code,
    detail: letter.detail,
    attempts: letter.attempts,
    failed_at: letter.failedAt.toISOString(),
    replayed_at: letter.replayedAt?.toISOString() ?? null,
    settled_at: letter.settledAt?.toISOString() ?? null,
  };
}
