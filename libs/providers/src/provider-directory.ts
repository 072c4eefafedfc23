import { LRUCache } from 'lru-cache';
import type { ChannelId, ProviderError } from '#domain';
import { Breaker, type BreakerState } from './breaker.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';
import type { ConnectionFactory } from './connection-factory.js';
import type { Connection } from './define-provider.js';
import { HangWatch } from './hang-watch.js';
import { providers } from './registry.js';
import { TenantCapacity } from './tenant-capacity.js';

/** An account as the directory needs it: the database room's OpenAccount. */
export interface Account {
  tenantId: string;
  id: string;
  provider: string;
  channel: ChannelId;
  credentials: Record<string, unknown>;
  pacePerSecond: number | null;
  /** Its condition as it is on record; `closed` for an endpoint, of which nothing is. */
  breaker: BreakerState;
  updatedAt: Date;
}

/** A ready way to send. */
export interface Sender {
  /** Null for the sandbox that stands in. */
  account: Pick<Account, 'tenantId' | 'id'> | null;
  provider: string;
  connection: Connection;
  slots: ConcurrencyLimiter;
  breaker: Breaker;
  /** Sends a second over all workers; null for no bound. */
  pacePerSecond: number | null;
  /** Whether an address is of the kind that this provider reaches. */
  reaches(address: string): boolean;
  /** Until when the vendor wants to be left alone, on this process's monotonic clock. */
  pausedUntil: number;
  /** Whether the last try failed; true until it is known, because another process may have seen it fail. */
  failing: boolean;
  /** Deliveries that may still send through it. */
  users: number;
  /** Its account was changed or evicted: it takes no new deliveries and closes after the last one. */
  retired: boolean;
}

/** Who is to send: a tenant's accounts of a channel, or one of its endpoints. */
export interface SendTarget {
  tenantId: string;
  channel: ChannelId;
  /** A test notification only ever gets the sandbox. */
  test: boolean;
  endpointId: string | null;
}

export interface DirectoryOptions {
  /** The enabled accounts for a tenant and channel, in order. */
  accounts: (tenantId: string, channel: ChannelId) => Promise<Account[]>;
  /** A tenant's enabled endpoint as an account of the provider `webhook`; null when there is none. */
  endpoint: (tenantId: string, id: string) => Promise<Account | null>;
  connectionFactory: ConnectionFactory;
  /** The longest that a send may take, in milliseconds. */
  deadlineMs: number;
  /** Whether the sandbox takes what no account would. */
  sandboxFallback: boolean;
  /** Told when an account stops working, is tried again, and works again. */
  onHealth: (
    account: Pick<Account, 'tenantId' | 'id' | 'provider'>,
    state: BreakerState,
    cause: ProviderError | null,
  ) => void;
  /** Told when something of a tenant changed here, so that other processes forget it too. */
  onChange: (tenantId: string) => void;
}

const ACCOUNTS_TTL_MS = 30_000;
/** Accounts with an open connection. */
const MAX_CONNECTIONS = 1_000;

interface CachedAccounts {
  accounts: Promise<Account[]>;
  /** Undefined until they are there. */
  known?: Account[];
}

/** Finds who sends for a tenant on a channel, and keeps connections open across deliveries. */
export class ProviderDirectory {
  /** How many deliveries it is worth to take up for whom. */
  readonly tenantCapacity = new TenantCapacity((tenantId, channel) =>
    this.accounts.get(`${tenantId} ${channel}`)?.known?.map((account) => this.connect(account)),
  );
  private readonly accounts: LRUCache<string, CachedAccounts>;
  private readonly connections: LRUCache<string, { version: string; sender: Sender }>;
  /** By account, and the same for all senders of an account: its bound holds over a change of it. */
  private readonly slots = new Map<string, ConcurrencyLimiter>();
  private readonly retired = new Set<Sender>();
  private readonly sandbox: Sender;

  constructor(private readonly options: DirectoryOptions) {
    this.accounts = new LRUCache({ max: 10_000, ttl: ACCOUNTS_TTL_MS });
    this.connections = new LRUCache({ max: MAX_CONNECTIONS, disposeAfter: ({ sender }) => this.retire(sender) });
    const sandbox = options.connectionFactory.open({ id: '', provider: 'sandbox', credentials: {} });
    this.sandbox = toSender(null, sandbox, new ConcurrencyLimiter(undefined), new Breaker());
  }

  /**
   * Calls `work` with the target's senders in order; the list may be empty. The senders stay open until `work` ends, even if
   * their accounts are changed or evicted from the cache.
   */
  async withSenders<T>(target: SendTarget, work: (senders: readonly Sender[]) => Promise<T>): Promise<T> {
    // Nothing may happen between finding them and counting the user.
    const senders = this.sendersOf(target, await this.accountsFor(target));
    for (const sender of senders) sender.users += 1;
    try {
      return await work(senders);
    } finally {
      for (const sender of senders) this.release(sender);
    }
  }

  private async accountsFor({ tenantId, channel, test, endpointId }: SendTarget): Promise<Account[]> {
    if (endpointId === null) return test ? [] : await this.accountsOf(tenantId, channel);
    return await this.cached(`${tenantId} ${endpointId}`, async () => {
      const endpoint = await this.options.endpoint(tenantId, endpointId);
      return endpoint ? [endpoint] : [];
    });
  }

  private sendersOf({ test, endpointId }: SendTarget, accounts: readonly Account[]): Sender[] {
    if (endpointId !== null || accounts.length > 0) return accounts.map((account) => this.connect(account));
    return test || this.options.sandboxFallback ? [this.sandbox] : [];
  }

  /** How many of the accounts in use here are in which state, by provider. */
  breakers(): { provider: string; state: BreakerState; count: number }[] {
    const counts = new Map<string, { provider: string; state: BreakerState; count: number }>();
    for (const { sender } of this.connections.values()) {
      const { provider, breaker } = sender;
      const key = `${provider} ${breaker.state}`;
      const row = counts.get(key) ?? { provider, state: breaker.state, count: 0 };
      counts.set(key, { ...row, count: row.count + 1 });
    }
    return [...counts.values()];
  }

  /** Forgets what was cached of a tenant; of all tenants without one (the platform's accounts serve everybody). */
  forget(tenantId?: string): void {
    for (const key of this.accounts.keys()) {
      if (tenantId === undefined || key.startsWith(tenantId)) this.accounts.delete(key);
    }
  }

  /** Something of a tenant was changed from here: nobody goes on with what it was. */
  changed(tenantId: string): void {
    this.forget(tenantId);
    this.options.onChange(tenantId);
  }

  async close(): Promise<void> {
    this.connections.clear();
    for (const sender of this.retired) await this.closeSender(sender);
    await this.options.connectionFactory.close();
  }

  private accountsOf(tenantId: string, channel: ChannelId): Promise<Account[]> {
    return this.cached(`${tenantId} ${channel}`, () => this.options.accounts(tenantId, channel));
  }

  private cached(key: string, read: () => Promise<Account[]>): Promise<Account[]> {
    let looked = this.accounts.get(key);
    if (!looked) {
      const now: CachedAccounts = { accounts: read() };
      looked = now;
      this.accounts.set(key, now);
      now.accounts.then(
        (accounts) => {
          now.known = accounts;
          for (const { id, breaker } of accounts) {
            const sender = this.connections.peek(id)?.sender;
            if (sender) sender.breaker.onRecord = breaker;
          }
        },
        () => this.accounts.delete(key),
      );
    }
    return looked.accounts;
  }

  /** Kept per account; a changed account gets another one, and the old one is retired. */
  private connect(account: Account): Sender {
    // A second secret of an endpoint comes and goes by the clock alone.
    const version = `${account.updatedAt.getTime()} ${Object.keys(account.credentials).join()}`;
    const cached = this.connections.get(account.id);
    if (cached?.version === version) return cached.sender;
    const connection = this.options.connectionFactory.open(account);
    const { deadlineMs, onHealth } = this.options;
    const hangs = new HangWatch({ deadlineMs, slots: connection.maxInFlight });
    const breaker = new Breaker((state, cause) => onHealth(account, state, cause), hangs);
    breaker.onRecord = account.breaker;
    const sender = toSender(account, connection, this.slotsOf(account.id, connection.maxInFlight), breaker);
    this.connections.set(account.id, { version, sender });
    // Whatever was wrong with it before, it has been changed since.
    if (cached && cached.sender.breaker.state !== 'closed') onHealth(account, 'closed', null);
    return sender;
  }

  private slotsOf(accountId: string, maxInFlight: number | undefined): ConcurrencyLimiter {
    const slots = this.slots.get(accountId) ?? new ConcurrencyLimiter(maxInFlight);
    slots.resize(maxInFlight);
    this.slots.set(accountId, slots);
    return slots;
  }

  private retire(sender: Sender): void {
    sender.retired = true;
    sender.breaker.mute();
    this.retired.add(sender);
    if (sender.users === 0) void this.closeSender(sender);
  }

  private release(sender: Sender): void {
    sender.users -= 1;
    if (sender.retired && sender.users === 0) void this.closeSender(sender);
  }

  private async closeSender(sender: Sender): Promise<void> {
    this.retired.delete(sender);
    const { account, breaker, connection, slots } = sender;
    if (account && slots.idle && !this.connections.has(account.id)) this.slots.delete(account.id);
    breaker.close();
    await connection.close?.();
  }
}

function toSender(
  account: Account | null,
  connection: Connection,
  slots: ConcurrencyLimiter,
  breaker: Breaker,
): Sender {
  const provider = providers[account?.provider ?? 'sandbox'];
  return {
    account,
    provider: provider?.id ?? account!.provider,
    connection,
    slots,
    breaker,
    pacePerSecond: account ? (account.pacePerSecond ?? provider?.pacePerSecond ?? null) : null,
    reaches: (address) => provider?.reaches?.(address) ?? true,
    pausedUntil: 0,
    failing: true,
    users: 0,
    retired: false,
  };
}
