import { LRUCache } from 'lru-cache';
import type { ChannelId } from '#domain';
import type { Connection, Surroundings } from './define-provider.js';
import { providers } from './registry.js';
import { SendSlots } from './send-slots.js';

/** An account as the directory needs it: the database room's OpenAccount. */
export interface Account {
  tenantId: string;
  id: string;
  provider: string;
  channel: ChannelId;
  credentials: Record<string, unknown>;
  updatedAt: Date;
}

/** A ready way to send. */
export interface Sender {
  /** Null for the sandbox that stands in. */
  accountId: string | null;
  provider: string;
  connection: Connection;
  slots: SendSlots;
}

export interface DirectoryOptions {
  /** The enabled accounts for a tenant and channel, in order. */
  accounts: (tenantId: string, channel: ChannelId) => Promise<Account[]>;
  surroundings: Surroundings;
  /** Whether the sandbox takes what no account would. */
  sandboxFallback: boolean;
}

const ACCOUNTS_TTL_MS = 30_000;

/** Finds who sends for a tenant on a channel, and keeps connections open across deliveries. */
export class ProviderDirectory {
  private readonly accounts: LRUCache<string, Promise<Account[]>>;
  private readonly connections: LRUCache<string, { version: number; sender: Sender }>;
  private readonly sandbox: Sender;

  constructor(private readonly options: DirectoryOptions) {
    this.accounts = new LRUCache({ max: 10_000, ttl: ACCOUNTS_TTL_MS });
    this.connections = new LRUCache({ max: 1_000, dispose: ({ sender }) => void sender.connection.close?.() });
    this.sandbox = toSender(null, 'sandbox', providers['sandbox']!.connect({}, options.surroundings));
  }

  /** The first account's sender, or null when there is nobody to send. A test notification only ever gets the sandbox. */
  async senderFor(tenantId: string, channel: ChannelId, test: boolean): Promise<Sender | null> {
    if (test) return this.sandbox;
    const [account] = await this.accountsOf(tenantId, channel);
    if (account) return this.connect(account);
    return this.options.sandboxFallback ? this.sandbox : null;
  }

  /** Forgets what was cached of a tenant; of all tenants without one (the platform's accounts serve everybody). */
  forget(tenantId?: string): void {
    for (const key of this.accounts.keys()) {
      if (tenantId === undefined || key.startsWith(tenantId)) this.accounts.delete(key);
    }
  }

  async close(): Promise<void> {
    for (const { sender } of this.connections.values()) await sender.connection.close?.();
    this.connections.clear();
  }

  private accountsOf(tenantId: string, channel: ChannelId): Promise<Account[]> {
    const key = `${tenantId} ${channel}`;
    let found = this.accounts.get(key);
    if (!found) {
      found = this.options.accounts(tenantId, channel);
      this.accounts.set(key, found);
      found.catch(() => this.accounts.delete(key));
    }
    return found;
  }

  /** Kept per account; changed credentials take the old connection's place, and that one is closed. */
  private connect(account: Account): Sender {
    const version = account.updatedAt.getTime();
    const cached = this.connections.get(account.id);
    if (cached?.version === version) return cached.sender;
    const provider = providers[account.provider];
    if (!provider)
      throw new Error(`provider account ${account.id} is of the unknown provider ${JSON.stringify(account.provider)}`);
    const credentials = provider.credentials.parse(account.credentials);
    const sender = toSender(account.id, provider.id, provider.connect(credentials, this.options.surroundings));
    this.connections.set(account.id, { version, sender });
    return sender;
  }
}

function toSender(accountId: string | null, provider: string, connection: Connection): Sender {
  return { accountId, provider, connection, slots: new SendSlots(connection.maxInFlight) };
}
