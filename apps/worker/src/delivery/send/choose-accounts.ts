import { StopPipeline } from '#domain';
import { allowedAccounts, type Sender, secondsUntilAvailable } from '#providers';
import type { Rendered } from '../pipeline-context.js';

export interface AccountChoice {
  /** The accounts that may send now, in the order to try them. */
  ready: readonly Sender[];
  /** Ready or not. When none is ready, the delivery waits for the first of these. */
  candidates: readonly Sender[];
}

/**
 * Chooses the accounts for one delivery from those of its tenant, given in the tenant's order. Throws StopPipeline
 * when no account can send it.
 */
export function chooseAccounts(senders: readonly Sender[], rendered: Rendered): AccountChoice {
  const { delivery, context, addresses, message: content } = rendered;
  const isEvent = context.notification.endpointId !== null;
  const chosen = allowedAccounts(senders, { channel: delivery.channel, addresses, content, isEvent });
  if ('failure' in chosen) throw new StopPipeline(chosen.failure);
  const { allowed } = chosen;
  const untried = allowed.filter(({ account }) => !account || !delivery.triedAccountIds.includes(account.id));
  // When every account has refused this delivery, all of them are tried again.
  const candidates = untried.length > 0 ? untried : allowed;
  const available = candidates.filter((sender) => secondsUntilAvailable(sender) === 0);
  const ready = [...available.filter((sender) => !isStalled(sender)), ...available.filter(isStalled)];
  return { ready, candidates };
}

/** The addresses of the delivery that this account reaches. */
export function reachedAddresses(sender: Sender, { addresses }: Rendered): readonly string[] {
  return addresses.filter((address) => sender.reaches(address));
}

function isStalled({ breaker }: Sender): boolean {
  return breaker.hangs.isStalled;
}
