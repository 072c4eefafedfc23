// The one switch over outcomes: the row that the record statement (record-statement.ts) takes for each.

import { cleanText, type DecidingRule, type DeliveryState, type InboxRow, type Outcome } from '#domain';
import type { ClaimedDelivery } from '../queue/claimed-delivery.js';

export interface RecordRow {
  tenantId: string;
  deliveryId: string;
  claimId: string;
  /** The final state, or null when the delivery remains waiting. */
  state: DeliveryState | null;
  reason: string | null;
  /** The setting that decided, for the timeline and the event. */
  rule: DecidingRule | null;
  delaySeconds: number | null;
  retryWeight: number;
  rateLimitConsumed: boolean;
  paceReserved: boolean;
  /** The advisory lock of its ordering key, or null without one. */
  orderingLock: number | null;
  /** The digest that it leads, or null. */
  digestId: string | null;
  triedAccountId: string | null;
  goneDevices: string[] | null;
  suppress: { address: string; reason: string } | null;
  attempt: { number: number; outcome: string; durationMs: number } | null;
  provider: string | null;
  providerAccountId: string | null;
  providerMessageId: string | null;
  code: string | null;
  detail: string | null;
  templateVersion: number | null;
  /** The code of a log entry, or null if the attempt is the only entry of the timeline. */
  logCode: string | null;
  inbox: InboxRow | null;
  /** Only while it is held for quiet hours, a frequency cap or a quota: a later change of these makes it due. */
  heldByPolicy: { recipientId: string; decidedAt: Date } | null;
  /** The delivery that is created in its place, if it is downgraded. */
  inAppDeliveryId: string | null;
}

type RecordableOutcome = Exclude<Outcome, { kind: 'claim_lost' | 'collected' }>;

/** The same as in the SQL function carillon_ordering_lock(), which hashes the same text as `messageKey`. */
const ORDERING_LOCKS_MASK = 255;

/** Characters. */
const MAX_DETAIL = 1_000;
const MAX_CODE = 100;
const MAX_MESSAGE_ID = 500;

/** The row for an outcome, with the vendor's text cut and cleaned so that PostgreSQL can store it. */
export function toRecordRow(delivery: ClaimedDelivery, outcome: RecordableOutcome): RecordRow {
  const row = rowOf(delivery, outcome);
  return {
    ...row,
    providerMessageId: cleaned(row.providerMessageId, MAX_MESSAGE_ID),
    code: cleaned(row.code, MAX_CODE),
    detail: cleaned(row.detail, MAX_DETAIL),
  };
}

function cleaned(text: string | null, maxLength: number): string | null {
  return text === null || text === undefined ? null : cleanText(text, maxLength);
}

function rowOf(delivery: ClaimedDelivery, outcome: RecordableOutcome): RecordRow {
  const row = emptyRow(delivery, outcome);
  switch (outcome.kind) {
    case 'sent':
      return { ...row, state: 'sent', templateVersion: outcome.templateVersion };
    case 'in_inbox':
      return { ...row, state: 'sent', provider: 'inbox', templateVersion: outcome.templateVersion, inbox: outcome.row };
    case 'suppressed':
      return {
        ...row,
        state: 'suppressed',
        reason: outcome.reason,
        detail: outcome.detail ?? null,
        logCode: 'suppressed',
      };
    case 'downgraded':
      return {
        ...row,
        state: 'suppressed',
        reason: outcome.reason,
        detail: outcome.detail ?? null,
        logCode: 'downgraded',
        inAppDeliveryId: outcome.inAppDeliveryId,
      };
    case 'expired':
      return { ...row, state: 'expired', logCode: 'expired' };
    case 'held':
      return {
        ...row,
        reason: outcome.reason,
        delaySeconds: outcome.delaySeconds,
        detail: outcome.detail ?? null,
        logCode: 'held',
        rateLimitConsumed: outcome.rateLimitConsumed ?? false,
        paceReserved: outcome.paceReserved ?? false,
        heldByPolicy: outcome.heldByPolicy ?? null,
      };
    case 'retry':
      return {
        ...row,
        reason: outcome.reason,
        delaySeconds: outcome.delaySeconds,
        retryWeight: outcome.weight,
        rateLimitConsumed: true,
        triedAccountId: outcome.triedAccountId ?? null,
      };
    case 'failed':
      return {
        ...row,
        state: 'failed',
        reason: outcome.reason,
        code: outcome.code,
        detail: outcome.detail,
        logCode: 'failed',
      };
    case 'unknown':
      return { ...row, state: 'unknown', detail: outcome.detail, logCode: 'unknown' };
  }
}

/** The fields that do not depend on the kind of the outcome; the others are empty. */
function emptyRow(delivery: ClaimedDelivery, outcome: RecordableOutcome): RecordRow {
  const attempt = 'attempt' in outcome ? outcome.attempt : undefined;
  return {
    tenantId: delivery.tenantId,
    deliveryId: delivery.deliveryId,
    claimId: delivery.claimId,
    state: null,
    reason: null,
    rule: ('rule' in outcome && outcome.rule) || null,
    delaySeconds: null,
    retryWeight: 0,
    rateLimitConsumed: false,
    paceReserved: false,
    orderingLock: delivery.ordered ? Number(delivery.messageKey) & ORDERING_LOCKS_MASK : null,
    digestId: delivery.digestId,
    triedAccountId: null,
    goneDevices: ('goneDevices' in outcome && outcome.goneDevices) || null,
    suppress: ('suppress' in outcome && outcome.suppress) || null,
    attempt: attempt ? { number: attempt.number, outcome: attempt.outcome, durationMs: attempt.durationMs } : null,
    provider: attempt?.provider ?? null,
    providerAccountId: attempt?.providerAccountId ?? null,
    providerMessageId: attempt?.providerMessageId ?? null,
    code: attempt?.code ?? null,
    detail: attempt?.detail ?? null,
    templateVersion: null,
    logCode: null,
    inbox: null,
    heldByPolicy: null,
    inAppDeliveryId: null,
  };
}
