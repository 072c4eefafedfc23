// The conditions of statements about dead letters, from the filters of a request.

import type { LetterScope } from './replay-letter.js';

export interface DeadLetterFilter {
  tenantId?: string | undefined;
  channel?: string | undefined;
  provider?: string | undefined;
  reason?: string | undefined;
  /** The vendor's code. */
  code?: string | undefined;
  failedAfter?: Date | undefined;
  failedBefore?: Date | undefined;
  /** Neither replayed nor settled. */
  unreplayed?: boolean | undefined;
}

/** Neither replayed nor settled: the condition of dead_letters_open_idx, so it is not compared with a parameter. */
export const OPEN = 'replayed_at is null and settled_at is null';

/**
 * `more`: further conditions with their values; those without a value are left out. `before`: the values of an earlier
 * part of the statement.
 */
export function conditionsOf(
  scope: LetterScope,
  filter: DeadLetterFilter,
  more: Record<string, unknown> = {},
  before: readonly unknown[] = [],
): { where: string; values: unknown[] } {
  const values: unknown[] = [...before];
  const conditions: string[] = [];
  const add = (condition: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    values.push(value);
    conditions.push(condition.replaceAll('?', `$${values.length}`));
  };
  for (const [condition, value] of Object.entries(more)) add(condition, value);
  add('tenant_id = ?::uuid', scope);
  add('tenant_id = ?::uuid', filter.tenantId);
  add('channel = ?', filter.channel);
  add('provider = ?', filter.provider);
  add('reason = ?', filter.reason);
  add('code = ?', filter.code);
  add('failed_at > ?', filter.failedAfter);
  add('failed_at < ?', filter.failedBefore);
  if (filter.unreplayed !== undefined) conditions.push(filter.unreplayed ? OPEN : `not (${OPEN})`);
  return { where: conditions.join(' and ') || 'true', values };
}
