import { describe, expect, it } from 'vitest';
import type { Attempt, Outcome } from './outcome.js';
import { reducedOutcome } from './reduced-outcome.js';

const WORDS = 'from outside';
const attempt: Attempt = {
  number: 2,
  provider: 'smtp',
  providerAccountId: null,
  outcome: 'sent',
  code: WORDS,
  detail: WORDS,
  providerMessageId: WORDS,
  durationMs: 5,
};
const row = { recipientId: 'r', category: 'c', title: WORDS, body: WORDS, actionUrl: WORDS, data: null };
const addressFeedback = { goneDevices: [WORDS], suppress: { address: WORDS, reason: 'bad_address' as const } };

const outcomes: Exclude<Outcome, { kind: 'claim_lost' }>[] = [
  { kind: 'sent', attempt, templateVersion: 3, ...addressFeedback },
  { kind: 'in_inbox', row, templateVersion: 3 },
  { kind: 'suppressed', reason: 'opted_out', detail: WORDS },
  { kind: 'expired' },
  { kind: 'held', reason: 'provider_limit', delaySeconds: Number.NaN, detail: WORDS },
  { kind: 'retry', reason: 'retry', delaySeconds: Number.POSITIVE_INFINITY, weight: 1, attempt, ...addressFeedback },
  { kind: 'failed', reason: 'rejected', code: WORDS, detail: WORDS, attempt, ...addressFeedback },
  { kind: 'unknown', detail: WORDS, attempt },
];

describe('the reduced form of an outcome', () => {
  it.each(outcomes.map((outcome) => [outcome.kind, outcome] as const))(
    '%s keeps nothing from outside',
    (kind, given) => {
      const reduced = reducedOutcome(given, '22021');
      expect(JSON.stringify(reduced)).not.toContain(WORDS);
      // An item that cannot be stored is not in the inbox.
      expect(reduced.kind).toBe(kind === 'in_inbox' ? 'failed' : kind);
      if ('attempt' in given && given.attempt)
        expect(reduced).toMatchObject({ attempt: { number: 2, outcome: 'sent' } });
      if ('delaySeconds' in reduced) expect(reduced.delaySeconds).toBe(60);
    },
  );
});
