import { LRUCache } from 'lru-cache';
import type { ChannelId, ProviderError } from '#domain';
import { Breaker, type BreakerState } from './breaker.js';
import type { Connector } from './connector.js';
import type { Connection } from './define-provider.js';
import { Headroom } from './headroom.js';
import { providers } from './registry.js';
import { SendSlots } from './send-slots.js';

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
  slots: SendSlots;
  breaker: Breaker;
  /** Sends a second over all workers; null for no bound. */
  pacePerSecond: number | null;
  /** Whether an address is of the kind that this provider reaches. */
  reaches(address: string): boolean;
  /** Until when the vendor wants to be left alone, on this process's monotonic clock. */
  pausedUntil: number;
  /** Whether the last try failed; true until it is known, because another process may have seen it fail. */
  failing: boolean;
}

export interface DirectoryOptions {
  /** The enabled accounts for a tenant and channel, in order. */
  accounts: (tenantId: string, channel: ChannelId) => Promise<Account[]>;
  /** A tenant's enabled endpoint as an account of the provider `webhook`; null when there is none. */
  endpoint: (tenantId: string, id: string) => Promise<Account | null>;
  connector: Connector;
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

interface Looked {
  accounts: Promise<Account[]>;
  /** Undefined until they are there. */
  known?: Account[];
}

/** Finds who sends for a tenant on a channel, and keeps connections open across deliveries. */
export class ProviderDirectory {
  /** How many deliveries it is worth to take up for whom. */
  readonly headroom = new Headroom((tenantId, channel) =>
    this.accounts.get(`${tenantId} ${channel}`)?.known?.map((account) => this.connect(account)),
  );
  private readonly accounts: LRUCache<string, Looked>;
  private readonly connections: LRUCache<string, { version: string; sender: Sender }>;
  private readonly sandbox: Sender;

  constructor(private readonly options: DirectoryOptions) {
    this.accounts = new LRUCache({ max: 10_000, ttl: ACCOUNTS_TTL_MS });
    this.connections = new LRUCache({ max: 1_000, dispose: ({ sender }) => void closeSender(sender) });
    this.sandbox = toSender(
      null,
      options.connector.open({ id: '', provider: 'sandbox', credentials: {} }),
      new Breaker(),
    );
  }

  /** Everybody who may send, in order; empty when there is nobody. A test notification only ever gets the sandbox. */
  async sendersFor(tenantId: string, channel: ChannelId, test: boolean): Promise<Sender[]> {
    if (test) return [this.sandbox];
    const accounts = await this.accountsOf(tenantId, channel);
    if (accounts.length > 0) return accounts.map((account) => this.connect(account));
    return this.options.sandboxFallback ? [this.sandbox] : [];
  }

  /** The sender of a tenant's own endpoint, for its events; empty when it is gone or switched off. */
  async endpointSender(tenantId: string, id: string): Promise<Sender[]> {
    const accounts = await this.cached(`${tenantId} ${id}`, async () => {
      const endpoint = await this.options.endpoint(tenantId, id);
      return endpoint ? [endpoint] : [];
    });
    return accounts.map((account) => this.connect(account));
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
    for (const { sender } of this.connections.values()) await closeSender(sender);
    this.connections.clear();
    await this.options.connector.close();
  }

  private accountsOf(tenantId: string, channel: ChannelId): Promise<Account[]> {
    return this.cached(`${tenantId} ${channel}`, () => this.options.accounts(tenantId, channel));
  }

  private cached(key: string, read: () => Promise<Account[]>): Promise<Account[]> {
    let looked = this.accounts.get(key);
    if (!looked) {
      const now: Looked = { accounts: read() };
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

  /** Kept per account; changed credentials take the old connection's place, and that one is closed. */
  private connect(account: Account): Sender {
    // A second secret of an endpoint comes and goes by the clock alone.
    const version = `${account.updatedAt.getTime()} ${Object.keys(account.credentials).join()}`;
    const cached = this.connections.get(account.id);
    if (cached?.version === version) return cached.sender;
    const breaker = new Breaker((state, cause) => this.options.onHealth(account, state, cause));
    breaker.onRecord = account.breaker;
    const sender = toSender(account, this.options.connector.open(account), breaker);
    this.connections.set(account.id, { version, sender });
    // Whatever was wrong with it before, it has been changed since.
    if (cached && cached.sender.breaker.state !== 'closed') this.options.onHealth(account, 'closed', null);
    return sender;
  }
}

function toSender(account: Account | null, connection: Connection, breaker: Breaker): Sender {
  const provider = providers[account?.provider ?? 'sandbox'];
  return {
    account,
    provider: provider?.id ?? account!.provider,
    connection,
    slots: new SendSlots(connection.maxInFlight),
    breaker,
    pacePerSecond: account ? (account.pacePerSecond ?? provider?.pacePerSecond ?? null) : null,
    reaches: (address) => provider?.reaches?.(address) ?? true,
    pausedUntil: 0,
    failing: true,
  };
}

async function closeSender({ connection, breaker }: Sender): Promise<void> {
  breaker.close();
  await connection.close?.();
}
