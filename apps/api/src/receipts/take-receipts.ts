import { LRUCache } from 'lru-cache';
import type { ProviderAccountsStore, ReceiptResult, ReceiptsStore } from '#database';
import { DomainError, notFound, PLATFORM_TENANT_ID } from '#domain';
import { type ConnectionFactory, type Receipt, type ReceiptCall, ReceiptRefused } from '#providers';
import type { RealtimeBus } from '#realtime';
import { instruments, type Logger } from '#telemetry';
import { TenantShares } from './tenant-shares.js';

export interface VendorCall {
  provider: string;
  accountId: string;
  /** Path and query. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** An account whose vendor reports. */
interface Reporting {
  tenantId: string;
  provider: string;
  read: (call: ReceiptCall) => Promise<Receipt[]>;
}

type Taken = ReceiptResult | 'foreign';

/** The worst case for an edited account where the announcement is lost. */
const ACCOUNT_TTL_MS = 30_000;
const DEADLINE_MS = 10_000;
const MAX_FOREIGN_LOGGED = 5;

/** Takes what vendors report: from whom it is, of which deliveries, and whether it is news. */
export class TakeReceipts {
  /** Calls that come at the same moment share one look-up. What is not found is not kept. */
  private readonly accounts = new LRUCache<string, Promise<Reporting | null>>({ max: 10_000, ttl: ACCOUNT_TTL_MS });

  private readonly shares = new TenantShares();

  constructor(
    private readonly store: ProviderAccountsStore,
    private readonly receipts: ReceiptsStore,
    private readonly connectionFactory: ConnectionFactory,
    bus: RealtimeBus,
    private readonly publicUrl: string | undefined,
    private readonly logger: Logger,
  ) {
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'provider_accounts') this.accounts.clear();
    });
    bus.onGap(() => this.accounts.clear());
  }

  /**
   * How many receipts it held. Throws `forbidden` for a wrong signature, `not_found` for an unknown account. Receipts of all calls that
   * wait at the moment are written together.
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
    // The vendor comes again with all of them; those that were taken are repeats then.
    for (const ended of taken) if (ended.status === 'rejected') throw ended.reason;
    return found.length;
  }

  private async read({ read }: Reporting, { url, headers, body }: VendorCall): Promise<Receipt[]> {
    try {
      return await read({
        // Vendors sign the public URL, not the one that a proxy forwards to.
        url: `${this.publicUrl ?? ''}${url}`,
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
        body,
        // A timer only where the vendor is asked back.
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

  private async take(account: Reporting, receipt: Receipt): Promise<Taken> {
    // An account speaks of its own tenant's deliveries; the platform's of everybody's.
    const isOwn = account.tenantId === receipt.tenantId || account.tenantId === PLATFORM_TENANT_ID;
    const result = isOwn ? await this.receipts.take(receipt) : 'foreign';
    instruments().receipts.add(1, { provider: account.provider, kind: receipt.kind, result });
    return result;
  }

  /** One line for each call: a vendor may report thousands at once. What became of the tenant's own deliveries is in their timelines. */
  private log(call: VendorCall, receipts: readonly Receipt[], taken: readonly PromiseSettledResult<Taken>[]): void {
    const results: Record<string, number> = {};
    const foreign: string[] = [];
    taken.forEach((ended, at) => {
      const { kind, deliveryId } = receipts[at]!;
      const result = ended.status === 'fulfilled' ? ended.value : 'not_written';
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
      'receipts',
    );
  }

  private accountOf(id: string): Promise<Reporting | null> {
    const known = this.accounts.get(id);
    if (known) return known;
    const asked = this.open(id);
    this.accounts.set(id, asked);
    const forget = (): void => {
      if (this.accounts.peek(id) === asked) this.accounts.delete(id);
    };
    asked.then((found) => found ?? forget(), forget);
    return asked;
  }

  private async open(id: string): Promise<Reporting | null> {
    const account = await this.store.openedById(id);
    if (!account) return null;
    const { tenantId, provider } = account;
    return { tenantId, provider, read: this.connectionFactory.receiptReader(account) };
  }
}
