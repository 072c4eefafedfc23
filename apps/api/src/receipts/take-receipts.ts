import { LRUCache } from 'lru-cache';
import type { OpenAccount, ProviderAccountsStore, ReceiptsStore } from '#database';
import { DomainError, notFound, PLATFORM_TENANT_ID } from '#domain';
import { type Connector, ReceiptRefused } from '#providers';
import type { RealtimeBus } from '#realtime';
import { instruments, type Logger } from '#telemetry';

export interface VendorCall {
  provider: string;
  accountId: string;
  /** Path and query. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

const ACCOUNT_TTL_MS = 30_000;
const DEADLINE_MS = 10_000;

/** Takes what vendors report: from whom it is, of which deliveries, and whether it is news. */
export class TakeReceipts {
  private readonly accounts = new LRUCache<string, OpenAccount>({ max: 1_000, ttl: ACCOUNT_TTL_MS });

  constructor(
    private readonly store: ProviderAccountsStore,
    private readonly receipts: ReceiptsStore,
    private readonly connector: Connector,
    bus: RealtimeBus,
    private readonly publicUrl: string | undefined,
    private readonly logger: Logger,
  ) {
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'provider_accounts') this.accounts.clear();
    });
  }

  /** How many receipts it held. Throws `forbidden` for a wrong signature, `not_found` for an unknown account. */
  async run({ provider, accountId, url, headers, body }: VendorCall): Promise<number> {
    const account = await this.accountOf(accountId);
    if (account?.provider !== provider) throw notFound(`${provider} account`, accountId);
    const call = {
      // What the vendor signed is the address that it was given, not the one that a proxy made of it.
      url: `${this.publicUrl ?? ''}${url}`,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
      body,
      signal: AbortSignal.timeout(DEADLINE_MS),
    };
    const found = await this.connector.receipts(account, call).catch((error: Error) => {
      if (error instanceof ReceiptRefused) throw new DomainError('forbidden', error.message);
      if (error instanceof SyntaxError)
        throw new DomainError('malformed_json', `The body is not JSON: ${error.message}`);
      throw error;
    });
    for (const receipt of found) {
      // An account speaks of its own tenant's deliveries; the platform's of everybody's.
      const result =
        account.tenantId === receipt.tenantId || account.tenantId === PLATFORM_TENANT_ID
          ? await this.receipts.take(receipt)
          : 'foreign';
      instruments().receipts.add(1, { provider, kind: receipt.kind, result });
      this.logger.info(
        {
          tenant_id: receipt.tenantId,
          delivery_id: receipt.deliveryId,
          provider,
          provider_account_id: accountId,
          kind: receipt.kind,
          result,
        },
        'receipt',
      );
    }
    return found.length;
  }

  private async accountOf(id: string): Promise<OpenAccount | undefined> {
    const cached = this.accounts.get(id);
    if (cached) return cached;
    const found = (await this.store.openedById(id)) ?? undefined;
    if (found) this.accounts.set(id, found);
    return found;
  }
}
