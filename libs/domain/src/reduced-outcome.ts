import type { Attempt, Outcome } from './outcome.js';

/** Replaces a delay that is not a finite number. */
const FALLBACK_DELAY_SECONDS = 60;

type Recordable = Exclude<Outcome, { kind: 'claim_lost' }>;

/**
 * The same outcome without any text of a vendor or a template, for a record that the database refused because of its
 * data. The kind of the outcome is kept; the vendor's texts and the message id are lost. An inbox row that cannot be
 * stored is a failure.
 */
export function reducedOutcome(outcome: Recordable, cause: string): Recordable {
  const detail = `the outcome could not be stored as it came (${cause}); the provider's words are left out`;
  switch (outcome.kind) {
    case 'sent':
      return { kind: 'sent', attempt: reduced(outcome.attempt, detail), templateVersion: outcome.templateVersion };
    case 'in_inbox':
      return {
        kind: 'failed',
        reason: 'render_error',
        code: 'unstorable',
        detail: `the rendered item cannot be stored in the inbox (${cause})`,
      };
    case 'retry': {
      const { reason, delaySeconds, weight, attempt, triedAccountId } = outcome;
      return {
        kind: 'retry',
        reason,
        delaySeconds: finite(delaySeconds),
        weight: Number.isFinite(weight) ? weight : 1,
        attempt: reduced(attempt, detail),
        ...(triedAccountId && { triedAccountId }),
      };
    }
    case 'failed': {
      const { reason, rule, attempt } = outcome;
      const kept = { kind: 'failed', reason, ...(rule && { rule }), code: null, detail } as const;
      return { ...kept, ...(attempt && { attempt: reduced(attempt, detail) }) };
    }
    case 'unknown':
      return { kind: 'unknown', detail, ...(outcome.attempt && { attempt: reduced(outcome.attempt, detail) }) };
    case 'held':
      return { ...outcome, delaySeconds: finite(outcome.delaySeconds), detail };
    case 'suppressed':
    case 'downgraded':
      return { ...outcome, detail };
    case 'collected':
    case 'expired':
      return outcome;
  }
}

function reduced(attempt: Attempt, detail: string): Attempt {
  return { ...attempt, code: null, detail, providerMessageId: null };
}

function finite(seconds: number): number {
  return Number.isFinite(seconds) ? seconds : FALLBACK_DELAY_SECONDS;
}
