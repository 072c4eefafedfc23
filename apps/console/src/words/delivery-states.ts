import type { Delivery } from '#client';

/** The meaning of each state of a delivery, as one sentence about it. */
export const stateSentences: Readonly<Record<Delivery['state'], string>> = {
  waiting: 'It is in the queue and goes out as soon as a worker has capacity.',
  sending: 'A worker has claimed it and is sending it now.',
  sent: 'The provider has accepted it. A receipt will say whether it arrived, if the provider sends receipts.',
  delivered: 'The provider reported that it arrived.',
  bounced: 'The provider accepted it and reported later that it could not be delivered.',
  unknown: 'The provider did not answer, so it may or may not have the message. It is not sent again.',
  suppressed: 'It was not sent, on purpose, and is not tried again.',
  expired: 'Its time to live was over before it was sent.',
  cancelled: 'It was cancelled before it was sent.',
  failed: 'It could not be sent and is in the dead letters.',
};

/** The states in which nothing happens any more without a person or a receipt. */
export function isFinal(state: Delivery['state']): boolean {
  return state !== 'waiting' && state !== 'sending';
}

const TONES: Record<Delivery['state'], 'good' | 'waiting' | 'stopped' | 'bad'> = {
  waiting: 'waiting',
  sending: 'waiting',
  sent: 'good',
  delivered: 'good',
  bounced: 'bad',
  unknown: 'bad',
  suppressed: 'stopped',
  expired: 'stopped',
  cancelled: 'stopped',
  failed: 'bad',
};

export type Tone = (typeof TONES)[Delivery['state']];

export function toneOf(state: Delivery['state']): Tone {
  return TONES[state];
}
