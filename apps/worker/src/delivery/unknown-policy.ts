import type { DeliveryContext } from '#database';
import type { Claimed } from './pipeline-context.js';

/** The policy for a send whose outcome is unknown: the category's, or else the channel's. */
export function unknownPolicy({ channel }: Claimed, { category }: DeliveryContext): 'resend' | 'hold' {
  return category?.unknownOutcome ?? channel.unknownOutcome;
}
