import { LRUCache } from 'lru-cache';
import type { ChannelId, ProviderError } from '#domain';
import { AccountCache } from './account-cache.js';
import { Breaker, type BreakerState } from './capacity/breaker.js';
import { ConcurrencyLimiter } from './capacity/concurrency-limiter.js';
import { HangDetector } from './capacity/hang-detector.js';
import { TenantCapacity } from './capacity/tenant-capacity.js';
import type { ConnectionFactory } from './connection-factory.js';
import { type Account, createSender, type Sender } from './sender.js';

/** The accounts that may send a delivery: those of a tenant's channel, or one webhook endpoint. */
export interface SendTarget {
  tenantId: string;
  channel: ChannelId;
  /** Deliveries to people of a test tenant are sent through the sandbox only; webhooks go to its endpoints. */
  isSandboxed: boolean;
  endpointId: string | null;
}

export interface DirectoryOptions {
  /** Loads the enabled accounts for a tenant and channel, in order. */
  accounts: (tenantId: string, channel: ChannelId) => Promise<Account[]>;
  /** Loads a tenant's enabled endpoint as an account of the provider `webhook`; null if there is none. */
  endpoint: (tenantId: string, id: string) => Promise<Account | null>;
  connectionFactory: ConnectionFactory;
  /** The longest that a send may take, in milliseconds. */
  deadlineMs: number;
  /** Whether the sandbox sends for tenants that have no account on a channel. */
  sandboxFallback: boolean;
  /** Called when an account stops working, is probed, and works again. */
  onHealth: (
    account: Pick<Account, 'tenantId' | 'id' | 'provider'>,
    state: BreakerState,
    cause: ProviderError | null,
  ) => void;
  /** Called by {@link ProviderDirectory.invalidate}, to announce the change to other processes. */
  onChange: (tenantId: string) => void;
}

const MAX_SENDERS = 1_000;

/** Finds the accounts that may send a delivery, and keeps their connections open across deliveries. */
export class ProviderDirectory {
  readonly tenantCapacity = new TenantCapacity((tenantId, channel) =>
    this.accounts.loaded(tenantId, channel)?.map((account) => this.senderOf(account)),
  );
  private readonly accounts = new AccountCache((accounts) => this.noteRecordedStates(accounts));
  /** By account id. */
  private readonly senders: LRUCache<string, { version: string; sender: Sender }>;
  /** By account id. A changed account gets a new sender and keeps its limiter, so its limit holds over the change. */
  private readonly limiters = new Map<string, ConcurrencyLimiter>();
  private readonly retired = new Set<Sender>();
  private readonly sandbox: Sender;

  constructor(private readonly options: DirectoryOptions) {
    this.senders = new LRUCache({ max: MAX_SENDERS, disposeAfter: ({ sender }) => this.retire(sender) });
    this.sandbox = createSender(null, {
      connection: options.connectionFactory.open({ id: '', provider: 'sandbox', credentials: {} }),
      limiter: new ConcurrencyLimiter(undefined),
      breaker: new Breaker(),
    });
  }

  /**
   * Calls `work` with the target's senders in order; the list may be empty. The senders stay open until `work` ends,
   * even if their accounts are changed or evicted from the cache.
   */
  async withSenders<T>(target: SendTarget, work: (senders: readonly Sender[]) => Promise<T>): Promise<T> {
    // No `await` between finding the senders and counting the user: a sender without users may be closed.
    const senders = this.sendersFor(target, await this.accountsFor(target));
    for (const sender of senders) sender.users += 1;
    try {
      return await work(senders);
    } finally {
      for (const sender of senders) this.release(sender);
    }
  }

  /** Counts the accounts in use by provider and breaker state. */
  breakers(): { provider: string; state: BreakerState; count: number }[] {
    const counts = new Map<string, { provider: string; state: BreakerState; count: number }>();
    for (const { sender } of this.senders.values()) {
      const { provider, breaker } = sender;
      const key = `${provider} ${breaker.state}`;
      const row = counts.get(key) ?? { provider, state: breaker.state, count: 0 };
      counts.set(key, { ...row, count: row.count + 1 });
    }
    return [...counts.values()];
  }

  /** Forgets the cached accounts of a tenant; of all tenants without one, because all use the platform's accounts. */
  forget(tenantId?: string): void {
    this.accounts.forget(tenantId);
  }

  /** Forgets a tenant's accounts in all processes, after this process has changed one. */
  invalidate(tenantId: string): void {
    this.forget(tenantId);
    this.options.onChange(tenantId);
  }

  async close(): Promise<void> {
    this.senders.clear();
    for (const sender of this.retired) await this.closeSender(sender);
    await this.options.connectionFactory.close();
  }

  private async accountsFor({ tenantId, channel, isSandboxed, endpointId }: SendTarget): Promise<Account[]> {
    if (endpointId !== null)
      return await this.accounts.get(tenantId, endpointId, async () => {
        const endpoint = await this.options.endpoint(tenantId, endpointId);
        return endpoint ? [endpoint] : [];
      });
    if (isSandboxed) return [];
    return await this.accounts.get(tenantId, channel, () => this.options.accounts(tenantId, channel));
  }

  private sendersFor({ isSandboxed, endpointId }: SendTarget, accounts: readonly Account[]): Sender[] {
    if (endpointId !== null || accounts.length > 0) return accounts.map((account) => this.senderOf(account));
    return isSandboxed || this.options.sandboxFallback ? [this.sandbox] : [];
  }

  /** The sender of an account. A changed account gets a new one, and the old one is retired. */
  private senderOf(account: Account): Sender {
    // The credentials' names are part of the version because the second secret of an endpoint expires without an
    // update.
    const version = `${account.updatedAt.getTime()} ${Object.keys(account.credentials).join()}`;
    const cached = this.senders.get(account.id);
    if (cached?.version === version) return cached.sender;
    const sender = this.open(account);
    this.senders.set(account.id, { version, sender });
    // A changed account starts as working, whatever its state was before.
    if (cached && cached.sender.breaker.state !== 'closed') this.options.onHealth(account, 'closed', null);
    return sender;
  }

  private open(account: Account): Sender {
    const { connectionFactory, deadlineMs, onHealth } = this.options;
    const connection = connectionFactory.open(account);
    const hangs = new HangDetector({ deadlineMs, maxInFlight: connection.maxInFlight });
    const breaker = new Breaker((state, cause) => onHealth(account, state, cause), hangs);
    breaker.recordedState = account.breaker;
    return createSender(account, { connection, limiter: this.limiterOf(account.id, connection.maxInFlight), breaker });
  }

  private limiterOf(accountId: string, maxInFlight: number | undefined): ConcurrencyLimiter {
    const limiter = this.limiters.get(accountId) ?? new ConcurrencyLimiter(maxInFlight);
    limiter.resize(maxInFlight);
    this.limiters.set(accountId, limiter);
    return limiter;
  }

  private noteRecordedStates(accounts: readonly Account[]): void {
    for (const { id, breaker } of accounts) {
      const sender = this.senders.peek(id)?.sender;
      if (sender) sender.breaker.recordedState = breaker;
    }
  }

  private retire(sender: Sender): void {
    sender.isRetired = true;
    sender.breaker.stopReporting();
    this.retired.add(sender);
    if (sender.users === 0) void this.closeSender(sender);
  }

  private release(sender: Sender): void {
    sender.users -= 1;
    if (sender.isRetired && sender.users === 0) void this.closeSender(sender);
  }

  private async closeSender(sender: Sender): Promise<void> {
    this.retired.delete(sender);
    const { account, breaker, connection, limiter } = sender;
    if (account && limiter.isIdle && !this.senders.has(account.id)) this.limiters.delete(account.id);
    breaker.close();
    await connection.close?.();
  }
}
