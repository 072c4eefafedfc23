// A decision of the pipeline about a delivery that is not made.

import type { DecidingRule, DeliveryState, Outcome, WaitingReason } from '#domain';

export interface Verdict {
  state: DeliveryState;
  reason: string | null;
  rule: DecidingRule | null;
  detail: string | null;
  dueAt: Date | null;
  /** Suppressed on its channel, and an item for the inbox is sent instead. */
  isDowngraded: boolean;
}

const NOTHING = { reason: null, rule: null, detail: null, dueAt: null, isDowngraded: false };

export const SENT: Verdict = { ...NOTHING, state: 'sent' };
export const EXPIRED: Verdict = { ...NOTHING, state: 'expired', rule: 'send.expires_at' };

export function waiting(
  reason: WaitingReason,
  rule: DecidingRule,
  dueAt: Date | null,
  detail: string | null = null,
): Verdict {
  return { ...NOTHING, state: 'waiting', reason, rule, detail, dueAt };
}

export function failedAs({ reason, rule, detail }: Extract<Outcome, { kind: 'failed' }>): Verdict {
  return { ...NOTHING, state: 'failed', reason, rule: rule ?? null, detail };
}

export function suppressedAs({
  reason,
  rule,
  detail,
}: Omit<Extract<Outcome, { kind: 'suppressed' }>, 'kind'>): Verdict {
  return { ...NOTHING, state: 'suppressed', reason, rule: rule ?? null, detail: detail ?? null };
}

export function toView({ state, reason, rule, detail, dueAt }: Verdict) {
  return { state, reason, rule, detail, due_at: dueAt?.toISOString() ?? null };
}
