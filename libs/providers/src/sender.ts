import type { ChannelId } from '#domain';
import { type AccountChecks, checksOf } from './allowed-accounts.js';
import type { Breaker, BreakerState } from './capacity/breaker.js';
import type { ConcurrencyLimiter } from './capacity/concurrency-limiter.js';
import type { Connection } from './define-provider.js';
import { providers } from './registry.js';
import type { AllowedChoices } from './sender-choice.js';

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
export interface Sender extends AccountChecks {
  /** Null for the sandbox of test tenants and of `SANDBOX_FALLBACK`. */
  account: Pick<Account, 'tenantId' | 'id'> | null;
  connection: Connection;
  limiter: ConcurrencyLimiter;
  breaker: Breaker;
  /** Sends a second over all workers; null without a limit. */
  pacePerSecond: number | null;
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
  const checks = checksOf(account);
  return {
    ...checks,
    account,
    connection,
    limiter,
    breaker,
    pacePerSecond: account ? (account.pacePerSecond ?? providers[checks.provider]?.pacePerSecond ?? null) : null,
    pausedUntil: 0,
    lastSendFailed: true,
    users: 0,
    isRetired: false,
  };
}
