import { type ChannelId, type Outcome, PLATFORM_TENANT_ID } from '#domain';
import { providers } from './registry.js';
import { type AllowedChoices, type ChoosingMessage, choiceFault } from './sender-choice.js';

/** The part of an account that decides whether it may send a message. */
export interface AccountChecks {
  provider: string;
  /** Whether the provider can send to this address. */
  reaches(address: string): boolean;
  /** Why the account does not allow the sender or the chat channel of a message; null if it does. */
  choiceFault(message: ChoosingMessage): string | null;
}

/** Null for the sandbox, which sends everything. */
export function checksOf(
  account: {
    tenantId: string;
    provider: string;
    credentials: Record<string, unknown>;
    allowed?: AllowedChoices;
  } | null,
): AccountChecks {
  const id = account?.provider ?? 'sandbox';
  const provider = providers[id];
  return {
    provider: id,
    reaches: (address) => provider?.reaches?.(address) ?? true,
    choiceFault: (message) => {
      const choice = provider?.senderChoice ?? 'none';
      if (account?.tenantId !== PLATFORM_TENANT_ID || choice === 'none') return null;
      return choiceFault(choice, account, message);
    },
  };
}

/** A rendered message on its way to an account. */
export interface OutgoingMessage {
  channel: ChannelId;
  /** None where the account determines the address. */
  addresses: readonly string[];
  content: Record<string, unknown>;
  /** Whether it is an event to a webhook endpoint. */
  isEvent: boolean;
}

/** Of the accounts, in the tenant's order, those that may send the message; or the failure if none may. */
export function allowedAccounts<Account extends AccountChecks>(
  accounts: readonly Account[],
  { channel, addresses, content, isEvent }: OutgoingMessage,
): { allowed: Account[] } | { failure: Extract<Outcome, { kind: 'failed' }> } {
  const failure = { kind: 'failed', code: null } as const;
  if (accounts.length === 0) {
    const detail = isEvent
      ? 'the endpoint is gone or switched off'
      : `neither the tenant nor the platform has a provider account for ${channel}`;
    return { failure: { ...failure, reason: 'no_provider', rule: 'provider_accounts', detail } };
  }
  const reaching = accounts.filter(
    (account) => addresses.length === 0 || addresses.some((one) => account.reaches(one)),
  );
  const [first] = reaching;
  if (!first) {
    const detail = 'none of the accounts reaches an address of this kind';
    return { failure: { ...failure, reason: 'no_address', rule: 'provider_accounts', detail } };
  }
  const message = { to: addresses[0] ?? null, content };
  const allowed = reaching.filter((account) => account.choiceFault(message) === null);
  if (allowed.length > 0) return { allowed };
  const detail = `the platform's ${first.provider} account refuses the message: ${first.choiceFault(message)}`;
  return { failure: { ...failure, reason: 'sender_not_allowed', rule: 'provider_account.allowed', detail } };
}
