import type { DeliveryWithTimeline } from '#client';
import type { Tone } from './delivery-states';
import { reasonText } from './reasons';
import { meaningOfRule } from './rules';

export type Entry = DeliveryWithTimeline['timeline'][number];

/** One step of a delivery for a person. */
export interface StepWords {
  title: string;
  /** Why, in words; null where the title says it all. */
  text: string | null;
  tone: Tone;
}

/** The meaning of an entry of the timeline. A code that this console does not know is shown as it is. */
export function stepWords(entry: Entry): StepWords {
  if (entry.code === 'attempt') return attemptWords(entry);
  const why = whyOf(entry);
  switch (entry.code) {
    case 'accepted':
      return { title: 'Accepted', text: why, tone: 'good' };
    case 'held':
      return { title: entry.reason === 'digest' ? 'Collected for a digest' : 'Held', text: why, tone: 'waiting' };
    case 'suppressed':
      return { title: 'Not sent, on purpose', text: why, tone: 'stopped' };
    case 'downgraded':
      return { title: 'Moved to the inbox instead', text: why, tone: 'stopped' };
    case 'expired':
      return { title: 'Expired before it was sent', text: why, tone: 'stopped' };
    case 'failed':
      return { title: 'Failed, and put into the dead letters', text: why, tone: 'bad' };
    case 'unknown':
      return { title: 'The outcome is unknown', text: 'The policy forbids sending it again.', tone: 'bad' };
    case 'sent':
      return {
        title: entry.provider === 'inbox' ? 'In the inbox' : `Sent through ${entry.provider ?? 'a provider'}`,
        text: null,
        tone: 'good',
      };
    default:
      return laterWords(entry);
  }
}

/** Entries that receipts and people add after the send. */
function laterWords({ code, reason }: Entry): StepWords {
  switch (code) {
    case 'delivered':
      return { title: 'Delivered', text: 'The provider reported that it arrived.', tone: 'good' };
    case 'bounced':
      return { title: 'Bounced', text: 'The provider reported that it could not be delivered.', tone: 'bad' };
    case 'complained':
      return { title: 'Complaint', text: 'The recipient reported the message as spam.', tone: 'bad' };
    case 'opened':
      return { title: 'Opened', text: 'The recipient has opened the message.', tone: 'good' };
    case 'cancelled':
      return { title: 'Cancelled', text: null, tone: 'stopped' };
    case 'replayed':
      return { title: 'Replayed', text: 'It went back into the queue with all its retries.', tone: 'waiting' };
    case 'settled':
      return reason === 'failed'
        ? { title: 'Settled as not sent', text: 'The recipient does not have the message.', tone: 'bad' }
        : { title: 'Settled as sent', text: 'The recipient has the message.', tone: 'good' };
    default:
      return { title: code.replaceAll('_', ' '), text: null, tone: 'waiting' };
  }
}

const OUTCOMES: Record<string, { text: string; tone: Tone }> = {
  sent: { text: 'The provider accepted the message.', tone: 'good' },
  transient: { text: 'The provider could not take it now. It is tried again.', tone: 'waiting' },
  throttled: { text: 'The provider asked to wait.', tone: 'waiting' },
  rejected: { text: 'The provider refused the message.', tone: 'bad' },
  bad_address: { text: 'The provider refused the address.', tone: 'bad' },
  misconfigured: { text: 'The provider account does not work.', tone: 'bad' },
  unknown: { text: 'The provider did not answer: it may or may not have the message.', tone: 'bad' },
};

function attemptWords({ attempt, provider, outcome, provider_code }: Entry): StepWords {
  const title = `Attempt ${attempt ?? ''} through ${provider ?? 'a provider'}`.replace('  ', ' ');
  if (provider_code === 'worker_lost')
    return { title, text: 'The worker was lost between the send and its record.', tone: 'bad' };
  const { text, tone } = OUTCOMES[outcome ?? ''] ?? { text: outcome, tone: 'waiting' };
  return { title, text, tone };
}

function whyOf({ code, reason, rule }: Entry): string | null {
  const text = reasonText(reason, code === 'held' || code === 'accepted');
  return text?.meaning ?? (rule === null ? null : meaningOfRule(rule));
}
