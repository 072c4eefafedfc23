import type { DeliveryWithTimeline } from '#client';
import { stateSentences, type Tone, toneOf } from './delivery-states';
import { type NextStep, nextSteps, type StepFacts } from './next-steps';
import { reasonText } from './reasons';
import { meaningOfRule } from './rules';
import type { Entry } from './timeline-words';

/** The answer to "why did it not arrive?", and what to do about it. */
export interface Verdict {
  tone: Tone;
  title: string;
  /** The explanation, in words of the docs. */
  text: string;
  /** The text that the deciding step recorded, such as the provider's answer. */
  detail: string | null;
  /** The setting that decided. */
  rule: { code: string; meaning: string } | null;
  advice: string;
  steps: NextStep[];
}

export function verdictOf(delivery: DeliveryWithTimeline, facts: StepFacts): Verdict {
  const { state, reason, timeline } = delivery;
  const isWaiting = state === 'waiting' || state === 'sending';
  const known = reasonText(reason, isWaiting);
  const deciding = decidingEntry(delivery);
  const detail = deciding?.detail ?? lastAttempt(timeline)?.detail ?? null;
  const rule = deciding?.rule ?? null;
  return {
    tone: toneOf(state),
    title: titleOf(delivery),
    text: known?.meaning ?? stateSentences[state],
    detail: state === 'delivered' || state === 'sent' ? null : detail,
    rule: rule === null ? null : { code: rule, meaning: meaningOfRule(rule) },
    advice: known?.advice ?? STATE_ADVICE[state] ?? 'nothing',
    steps: nextSteps(delivery, facts),
  };
}

const STATE_ADVICE: Partial<Record<DeliveryWithTimeline['state'], string>> = {
  bounced: 'correct the address, then send again; the address may be on the suppression list now',
  unknown: 'ask the recipient or look at the provider, then settle it; a receipt settles it by itself',
  expired: 'send it again with a later `expires_at`, or without one',
  cancelled: 'send it again if it was cancelled by mistake',
};

const TITLES: Record<DeliveryWithTimeline['state'], string> = {
  waiting: 'Not sent yet',
  sending: 'Being sent',
  sent: 'Sent',
  delivered: 'Delivered',
  bounced: 'Bounced',
  unknown: 'The outcome is unknown',
  suppressed: 'Not sent, on purpose',
  expired: 'Not sent: it expired',
  cancelled: 'Not sent: it was cancelled',
  failed: 'Not sent: it failed',
};

function titleOf({ state, provider, opened_at, complained_at }: DeliveryWithTimeline): string {
  if (complained_at !== null) return `${TITLES[state]}, and reported as spam`;
  if (opened_at !== null) return `${TITLES[state]}, and opened`;
  return state === 'sent' && provider === 'inbox' ? 'In the inbox of the recipient' : TITLES[state];
}

/** The last entry that explains the present state. Receipts and people come after it. */
function decidingEntry({ state, reason, timeline }: DeliveryWithTimeline): Entry | undefined {
  const codes: Record<string, string[]> = {
    waiting: reason === 'scheduled' ? ['held', 'accepted'] : ['held'],
    suppressed: ['suppressed', 'downgraded'],
    unknown: ['unknown'],
    failed: ['failed', 'settled'],
    bounced: ['bounced'],
    expired: ['expired'],
  };
  const wanted = codes[state] ?? [];
  return timeline.findLast(({ code }) => wanted.includes(code));
}

function lastAttempt(timeline: readonly Entry[]): Entry | undefined {
  return timeline.findLast(({ code }) => code === 'attempt');
}
