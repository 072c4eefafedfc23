import type { DecidingRule } from './audience/deciding-rules.js';
import type { Collected } from './audience/digest.js';
import { cleanText } from './clean-text.js';
import type { FailedReason, SuppressedReason, WaitingReason } from './delivery-state.js';

/** Why an attempt failed. docs/delivery-states.md has the consequences. */
export type ProviderErrorKind = 'transient' | 'throttled' | 'rejected' | 'bad_address' | 'misconfigured' | 'unknown';

/** One attempt at one provider account: a row of `attempts`. */
export interface Attempt {
  number: number;
  provider: string;
  providerAccountId: string | null;
  outcome: 'sent' | ProviderErrorKind;
  code: string | null;
  detail: string | null;
  providerMessageId: string | null;
  durationMs: number;
}

export const receiptKinds = ['delivered', 'bounced', 'complained', 'opened'] as const;
export type ReceiptKind = (typeof receiptKinds)[number];

/** A new row of the recipient's inbox. On `in_app`, writing it is the send. */
export interface InboxRow {
  recipientId: string;
  category: string;
  title: string;
  body: string;
  actionUrl: string | null;
  data: Record<string, string> | null;
}

/** Facts about the recipient's addresses that a send revealed. They are recorded with its outcome. */
export interface AddressFeedback {
  /** Device tokens that are permanently invalid. */
  goneDevices?: string[];
  /** An address for the suppression list. */
  suppress?: { address: string; reason: 'bad_address' | 'unsubscribed' };
}

/**
 * The result of one run of the pipeline. One switch makes its rows (libs/database, record.ts). `attempt`: if a provider
 * was called. `rule`: the setting that decided.
 */
export type Outcome =
  | ({ kind: 'sent'; attempt: Attempt; templateVersion: number | null; receipt?: ReceiptKind } & AddressFeedback)
  | { kind: 'in_inbox'; row: InboxRow; templateVersion: number | null }
  | { kind: 'suppressed'; reason: SuppressedReason; rule?: DecidingRule; detail?: string }
  /** Suppressed on its channel; an inbox item with this delivery id is sent instead. */
  | { kind: 'downgraded'; reason: SuppressedReason; rule?: DecidingRule; detail?: string; inAppDeliveryId: string }
  | { kind: 'expired' }
  /** Waits as an item of a digest of its recipient, channel and category. */
  | ({ kind: 'collected' } & Collected)
  | {
      kind: 'held';
      reason: WaitingReason;
      rule?: DecidingRule;
      delaySeconds: number;
      detail?: string;
      rateLimitConsumed?: boolean;
      paceReserved?: boolean;
      /**
       * For `quiet_hours`, `frequency_cap` and `quota`: a change of the hours, caps, quotas or time zone after
       * `decidedAt` makes the delivery due at once.
       */
      heldByPolicy?: { recipientId: string; decidedAt: Date };
    }
  /** `triedAccountId`: the next attempt uses another account than this one. */
  | ({
      kind: 'retry';
      reason: WaitingReason;
      delaySeconds: number;
      weight: number;
      attempt: Attempt;
      triedAccountId?: string;
    } & AddressFeedback)
  | ({
      kind: 'failed';
      reason: FailedReason;
      rule?: DecidingRule;
      code: string | null;
      detail: string | null;
      attempt?: Attempt;
    } & AddressFeedback)
  | { kind: 'unknown'; detail: string; attempt?: Attempt }
  /** Another worker has the delivery, or it was cancelled: nothing is recorded. */
  | { kind: 'claim_lost'; detail: string };

/** Ends the pipeline early with an outcome. The pipeline catches no other error. */
export class StopPipeline extends Error {
  constructor(readonly outcome: Outcome) {
    super(outcome.kind);
    this.name = 'StopPipeline';
  }
}

/** The stored length of a vendor's message and code, in characters. */
const MAX_MESSAGE = 1_000;
const MAX_CODE = 100;

/**
 * The error that a provider throws; it never leaves the send step. Cleans the vendor's text, so that it can be stored.
 */
export class ProviderError extends Error {
  readonly code: string | null;
  readonly retryAfterSeconds: number | null;
  /** The recipient does not want messages from this sender, for example after answering an SMS with STOP. */
  readonly optedOut: boolean;
  constructor(
    readonly kind: ProviderErrorKind,
    message: string,
    options: { code?: string | null; retryAfterSeconds?: number | null; optedOut?: boolean; cause?: unknown } = {},
  ) {
    super(cleanText(message, MAX_MESSAGE), { cause: options.cause });
    this.name = 'ProviderError';
    const { code, retryAfterSeconds } = options;
    this.code = code === null || code === undefined ? null : cleanText(code, MAX_CODE);
    this.retryAfterSeconds = Number.isFinite(retryAfterSeconds) ? retryAfterSeconds! : null;
    this.optedOut = options.optedOut ?? false;
  }
}
