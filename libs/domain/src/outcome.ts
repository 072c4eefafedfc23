import { cleanText } from './clean-text.js';
import type { FailedReason, SuppressedReason, WaitingReason } from './delivery-state.js';

/** What a provider (or the vendor's receipt) said about one try; providers.md has the table. */
export type ProviderErrorKind = 'transient' | 'throttled' | 'rejected' | 'bad_address' | 'misconfigured' | 'unknown';

/** One try at one provider account, as it goes into `attempts`. */
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

/** A row to be written into the recipient's inbox: for `in_app` that is the send. */
export interface InboxRow {
  recipientId: string;
  category: string;
  title: string;
  body: string;
  actionUrl: string | null;
  data: Record<string, string> | null;
}

/** What a send taught of the recipient's addresses; written down with its outcome. */
export interface AddressFeedback {
  /** Device tokens that are gone for good. */
  goneDevices?: string[];
  /** An address that goes onto the suppression list. */
  suppress?: { address: string; reason: 'bad_address' | 'unsubscribed' };
}

/**
 * How one run of the pipeline ended. Ended in one switch, in the record step.
 * `attempt` is there when a provider was asked.
 */
export type Outcome =
  | ({ kind: 'sent'; attempt: Attempt; templateVersion: number | null; receipt?: ReceiptKind } & AddressFeedback)
  | { kind: 'in_inbox'; row: InboxRow; templateVersion: number | null }
  | { kind: 'suppressed'; reason: SuppressedReason; detail?: string }
  | { kind: 'expired' }
  | {
      kind: 'held';
      reason: WaitingReason;
      delaySeconds: number;
      detail?: string;
      rateLimitConsumed?: boolean;
      paceReserved?: boolean;
    }
  /** `triedAccountId`: the next try goes to another account. */
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
      code: string | null;
      detail: string | null;
      attempt?: Attempt;
    } & AddressFeedback)
  | { kind: 'unknown'; detail: string; attempt?: Attempt }
  /** Another worker has it, or it was cancelled: nothing is recorded. */
  | { kind: 'claim_lost'; detail: string };

/** Ends the pipeline early, with an outcome. The only thing the pipeline catches. */
export class StopPipeline extends Error {
  constructor(readonly outcome: Outcome) {
    super(outcome.kind);
    this.name = 'StopPipeline';
  }
}

/** Of what a vendor says, so much is kept: 1,000 characters of its words, 100 of its code. */
const MAX_MESSAGE = 1_000;
const MAX_CODE = 100;

/** What a provider throws; never leaves the send step. Here a vendor's words enter, and are made storable. */
export class ProviderError extends Error {
  readonly code: string | null;
  readonly retryAfterSeconds: number | null;
  /** The vendor says that this person does not want to be written to (an SMS answered with STOP). */
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
