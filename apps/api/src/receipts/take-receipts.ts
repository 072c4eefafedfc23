import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Config } from '#config';
import { ProviderAccountsStore, type ReceiptResult, ReceiptsStore } from '#database';
import { DomainError, notFound, PLATFORM_TENANT_ID } from '#domain';
import { ConnectionFactory, type Receipt, type ReceiptCall, ReceiptRefused } from '#providers';
import type { RealtimeBus } from '#realtime';
import { instruments, type Logger } from '#telemetry';
import { BUS, CONFIG, LOGGER } from '../tokens.js';
import { TenantShares } from './tenant-shares.js';

export interface VendorCall {
  provider: string;
  accountId: string;
  /** Path and query. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** The parts of a provider account that receipts need. */
interface ReportingAccount {
  tenantId: string;
  provider: string;
  read: (call: ReceiptCall) => Promise<Receipt[]>;
}

/** `foreign`: the delivery belongs to another tenant than the account. */
type Taken = ReceiptResult | 'foreign';

/** How long a changed account may still be used when the hint about its change is lost. */
const ACCOUNT_TTL_MS = 30_000;
/** For calls back to the vendor, such as fetching a signing certificate. */
const DEADLINE_MS = 10_000;
const MAX_FOREIGN_LOGGED = 5;

/** Verifies calls of vendors and applies the receipts in them to their deliveries. */
@Injectable()
export class TakeReceipts {
  /** Promises, so that simultaneous calls share one query. Unknown accounts are not cached. */
  private readonly accounts = new LRUCache<string, Promise<ReportingAccount | null>>({
    max: 10_000,
    ttl: ACCOUNT_TTL_MS,
  });

  private readonly shares = new TenantShares();

  constructor(
    private readonly store: ProviderAccountsStore,
    private readonly receipts: ReceiptsStore,
    private readonly connectionFactory: ConnectionFactory,
    @Inject(BUS) bus: RealtimeBus,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'provider_accounts') this.accounts.clear();
    });
    bus.onGap(() => this.accounts.clear());
  }

  /**
   * Returns the number of receipts in the call. Throws `forbidden` for a wrong signature, `not_found` for an unknown
   * account. The store writes waiting receipts of several calls together.
   */
  async run(call: VendorCall): Promise<number> {
    const { provider, accountId } = call;
    const account = await this.accountOf(accountId);
    if (account?.provider !== provider) throw notFound(`${provider} account`, accountId);
    const found = await this.read(account, call);
    const taken = await this.shares.write(
      found,
      ({ tenantId }) => (account.tenantId === PLATFORM_TENANT_ID ? tenantId : account.tenantId),
      (receipt) => this.take(account, receipt),
    );
    if (found.length > 0) this.log(call, found, taken);
    // The error makes the vendor repeat the whole call; receipts that were applied are recognized as repeats.
    for (const result of taken) if (result.status === 'rejected') throw result.reason;
    return found.length;
  }

  private async read({ read }: ReportingAccount, { url, headers, body }: VendorCall): Promise<Receipt[]> {
    try {
      return await read({
        // Vendors sign the public URL, not the one that a proxy forwards to.
        url: `${this.config.publicUrl ?? ''}${url}`,
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
        body,
        // A getter, so that no timer starts unless the vendor is called back.
        get signal() {
          return AbortSignal.timeout(DEADLINE_MS);
        },
      });
    } catch (error) {
      if (error instanceof ReceiptRefused) throw new DomainError('forbidden', error.message);
      if (error instanceof SyntaxError)
        throw new DomainError('malformed_json', `The body is not JSON: ${error.message}`);
      throw error;
    }
  }

  private async take(account: ReportingAccount, receipt: Receipt): Promise<Taken> {
    // A tenant's account reports on its own deliveries; a platform account on those of every tenant.
    const isOwn = account.tenantId === receipt.tenantId || account.tenantId === PLATFORM_TENANT_ID;
    const result = isOwn ? await this.receipts.take(receipt) : 'foreign';
    instruments().receipts.add(1, { provider: account.provider, kind: receipt.kind, result });
    return result;
  }

  /** One line per call, because a vendor may report thousands of receipts at once. Timelines have the details. */
  private log(call: VendorCall, receipts: readonly Receipt[], taken: readonly PromiseSettledResult<Taken>[]): void {
    const results: Record<string, number> = {};
    const foreign: string[] = [];
    taken.forEach((settled, at) => {
      const { kind, deliveryId } = receipts[at]!;
      const result = settled.status === 'fulfilled' ? settled.value : 'not_written';
      results[`${kind}:${result}`] = (results[`${kind}:${result}`] ?? 0) + 1;
      if (result === 'foreign' && foreign.length < MAX_FOREIGN_LOGGED) foreign.push(deliveryId);
    });
    const [only] = receipts.length === 1 ? receipts : [];
    this.logger.info(
      {
        provider: call.provider,
        provider_account_id: call.accountId,
        ...(only && { tenant_id: only.tenantId, delivery_id: only.deliveryId }),
        results,
        ...(foreign.length > 0 && { foreign_delivery_ids: foreign }),
      },
      'receipts processed',
    );
  }

  private accountOf(id: string): Promise<ReportingAccount | null> {
    const known = this.accounts.get(id);
    if (known) return known;
    const loading = this.load(id);
    this.accounts.set(id, loading);
    const forget = (): void => {
      if (this.accounts.peek(id) === loading) this.accounts.delete(id);
    };
    loading.then((found) => found ?? forget(), forget);
    return loading;
  }

  private async load(id: string): Promise<ReportingAccount | null> {
    const account = await this.store.openedById(id);
    if (!account) return null;
    const { tenantId, provider } = account;
    return { tenantId, provider, read: this.connectionFactory.receiptReader(account) };
  }
}
