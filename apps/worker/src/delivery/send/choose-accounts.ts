import { StopPipeline } from '#domain';
import { type Sender, secondsUntilAvailable } from '#providers';
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
  const { delivery, context } = rendered;
  if (senders.length === 0) {
    const detail = context.notification.endpointId
      ? 'the endpoint is gone or switched off'
      : `neither the tenant nor the platform has a provider account for ${delivery.channel}`;
    throw new StopPipeline({ kind: 'failed', reason: 'no_provider', rule: 'provider_accounts', code: null, detail });
  }
  const reaching = senders.filter(
    (sender) => rendered.addresses.length === 0 || reachedAddresses(sender, rendered).length > 0,
  );
  if (reaching.length === 0) {
    const detail = 'none of the accounts reaches an address of this kind';
    throw new StopPipeline({ kind: 'failed', reason: 'no_address', rule: 'provider_accounts', code: null, detail });
  }
  const message = { to: rendered.addresses[0] ?? null, content: rendered.message };
  const allowed = reaching.filter((sender) => sender.choiceFault(message) === null);
  if (allowed.length === 0) {
    const [first] = reaching;
    const detail = `the platform's ${first!.provider} account refuses the message: ${first!.choiceFault(message)}`;
    const reason = 'sender_not_allowed';
    throw new StopPipeline({ kind: 'failed', reason, rule: 'provider_account.allowed', code: null, detail });
  }
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
