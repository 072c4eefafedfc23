import { type ChannelId, PLATFORM_TENANT_ID } from '#domain';
import type { Breaker, BreakerState } from './capacity/breaker.js';
import type { ConcurrencyLimiter } from './capacity/concurrency-limiter.js';
import type { Connection } from './define-provider.js';
import { providers } from './registry.js';
import { type AllowedChoices, type ChoosingMessage, choiceFault } from './sender-choice.js';

/** A provider account with its credentials opened. */
export interface Account {
  tenantId: string;
  id: string;
  provider: string;
  channel: ChannelId;
  credentials: Record<string, unknown>;
  pacePerSecond: number | null;
  /** For accounts of the platform. */
  allowed?: AllowedChoices;
  /** The breaker state in the database; `closed` for a webhook endpoint, which has none there. */
  breaker: BreakerState;
  updatedAt: Date;
}

/** A provider account that is ready to send: its connection, and the parts that limit it. */
export interface Sender {
  /** Null for the sandbox of test tenants and of `SANDBOX_FALLBACK`. */
  account: Pick<Account, 'tenantId' | 'id'> | null;
  provider: string;
  connection: Connection;
  limiter: ConcurrencyLimiter;
  breaker: Breaker;
  /** Sends a second over all workers; null without a limit. */
  pacePerSecond: number | null;
  /** Whether the provider can send to this address. */
  reaches(address: string): boolean;
  /** Why the account does not allow the sender or the chat channel of a message; null if it does. */
  choiceFault(message: ChoosingMessage): string | null;
  /** End of the pause that the vendor asked for, on this process's monotonic clock. */
  pausedUntil: number;
  /** Whether the last send failed. Initially true, because another process may have seen a failure. */
  lastSendFailed: boolean;
  /** Deliveries that hold this sender now. */
  users: number;
  /** The account was changed or evicted: the sender gets no new deliveries, and closes when it has no users. */
  isRetired: boolean;
}

export function createSender(
  account: Account | null,
  { connection, limiter, breaker }: Pick<Sender, 'connection' | 'limiter' | 'breaker'>,
): Sender {
  const providerId = account?.provider ?? 'sandbox';
  const provider = providers[providerId];
  return {
    account,
    provider: providerId,
    connection,
    limiter,
    breaker,
    pacePerSecond: account ? (account.pacePerSecond ?? provider?.pacePerSecond ?? null) : null,
    reaches: (address) => provider?.reaches?.(address) ?? true,
    choiceFault: (message) => {
      const choice = provider?.senderChoice ?? 'none';
      if (account?.tenantId !== PLATFORM_TENANT_ID || choice === 'none') return null;
      return choiceFault(choice, account, message);
    },
    pausedUntil: 0,
    lastSendFailed: true,
    users: 0,
    isRetired: false,
  };
}
