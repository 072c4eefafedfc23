import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ProviderAccountsStore } from '#database';
import { atMost, notFound } from '#domain';
import { ConnectionFactory, type Receipt, type ReceiptCall } from '#providers';
import type { RealtimeBus } from '#realtime';
import { FailureLimit } from '../access/failure-limit.js';
import { BUS } from '../tokens.js';

/** The parts of a provider account that receipts need. */
export interface ReportingAccount {
  tenantId: string;
  provider: string;
  read: (call: ReceiptCall) => Promise<Receipt[]>;
}

/** How long a changed account may still be used when the hint about its change is lost. */
const ACCOUNT_TTL_MS = 30_000;
/** How long an unknown account is not looked up again: vendors go on reporting to an account that was deleted. */
const MISSING_TTL_MS = 4_000;

/** Finds the provider account of a vendor's call, and limits the look-ups of unknown accounts. */
@Injectable()
export class ReportingAccounts {
  /** Promises, so that simultaneous calls share one query. */
  private readonly accounts = new LRUCache<string, Promise<ReportingAccount | null>>({
    ...atMost(10_000),
    ttl: ACCOUNT_TTL_MS,
  });
  /** Accounts that were found before. They are read again without a limit, so that no valid receipt is refused. */
  private readonly found = new LRUCache<string, true>(atMost(50_000));
  private readonly missing = new LRUCache<string, true>({ ...atMost(10_000), ttl: MISSING_TTL_MS });
  private readonly failures = new FailureLimit('calls for unknown accounts');

  constructor(
    private readonly store: ProviderAccountsStore,
    private readonly connectionFactory: ConnectionFactory,
    @Inject(BUS) bus: RealtimeBus,
  ) {
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'provider_accounts') this.forget();
    });
    bus.onGap(() => this.forget());
  }

  /** Throws `not_found`, and `rate_limited` when too many unknown accounts were looked up for this source. */
  async get(provider: string, id: string, source: string): Promise<ReportingAccount> {
    const unknown = notFound(`${provider} account`, id);
    if (this.missing.has(id)) throw unknown;
    if (!this.accounts.has(id) && !this.found.has(id)) this.failures.takeLookup(source);
    const account = await this.load(id);
    if (!account) {
      this.missing.set(id, true);
      throw this.failures.count(source, unknown);
    }
    this.found.set(id, true);
    if (account.provider !== provider) throw unknown;
    return account;
  }

  private forget(): void {
    this.accounts.clear();
    this.missing.clear();
  }

  private load(id: string): Promise<ReportingAccount | null> {
    const known = this.accounts.get(id);
    if (known) return known;
    const loading = this.open(id);
    this.accounts.set(id, loading);
    const forget = (): void => {
      if (this.accounts.peek(id) === loading) this.accounts.delete(id);
    };
    loading.then((account) => account ?? forget(), forget);
    return loading;
  }

  private async open(id: string): Promise<ReportingAccount | null> {
    const account = await this.store.openedById(id);
    if (!account) return null;
    const { tenantId, provider } = account;
    return { tenantId, provider, read: this.connectionFactory.receiptReader(account) };
  }
}
