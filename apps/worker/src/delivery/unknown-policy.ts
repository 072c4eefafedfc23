import type { DeliveryContext } from '#database';
import type { Claimed } from './pipeline-context.js';

/** What to do with a send whose outcome is unknown: the category's policy, or else the channel's. */
export function unknownPolicy({ channel }: Claimed, { category }: DeliveryContext): 'resend' | 'hold' {
  return category?.unknownOutcome ?? channel.unknownOutcome;
}
