import { cleanText, ProviderError } from '#domain';
import {
  type Connection,
  type ProviderContext,
  type Receipt,
  type ReceiptCall,
  ReceiptRefused,
} from './define-provider.js';
import { EgressGuard } from './http/egress-guard.js';
import { VendorHttp } from './http/vendor-http.js';
import { providers } from './registry.js';

export interface ConnectionFactoryOptions {
  /** Refuses accounts with an `endpoint` of their own. */
  production: boolean;
  /** Where vendors reach us, without a slash at its end. */
  publicUrl: string | undefined;
  /** Private ranges that may be reached, in CIDR notation. */
  egressAllowedCidrs: readonly string[];
  deposit: ProviderContext['deposit'];
}

/** Of what a vendor says in a receipt. */
const MAX_DETAIL = 1_000;

/** Opens connections for accounts, and owns what they share: the guarded HTTP client. */
export class ConnectionFactory {
  readonly guard: EgressGuard;
  readonly http: VendorHttp;

  constructor(private readonly options: ConnectionFactoryOptions) {
    this.guard = new EgressGuard(options.egressAllowedCidrs);
    this.http = new VendorHttp(this.guard);
  }

  /** A connection in every case: with credentials that cannot be used it refuses each send as `misconfigured`. */
  open(account: { id: string; provider: string; credentials: Record<string, unknown> }): Connection {
    const provider = providers[account.provider];
    if (!provider) return refusing(`There is no provider ${JSON.stringify(account.provider)}`);
    const fault = this.endpointFault(account.credentials);
    if (fault) return refusing(`credentials.endpoint: ${fault}`);
    const credentials = provider.credentials.safeParse(account.credentials);
    // What is wrong with a secret must not be told with its value.
    if (!credentials.success) return refusing('The stored credentials do not fit the provider; give them again');
    const { http, guard, options } = this;
    return provider.connect(credentials.data, {
      http,
      guard,
      deposit: options.deposit,
      receiptsUrl: this.receiptsUrlOf(account),
    });
  }

  /** Reads vendors' calls for one account: what they say of deliveries. Reading throws ReceiptRefused. */
  receiptReader(account: {
    provider: string;
    credentials: Record<string, unknown>;
  }): (call: ReceiptCall) => Promise<Receipt[]> {
    const provider = providers[account.provider];
    if (!provider?.parseReceipts)
      return () => Promise.reject(new ReceiptRefused(`${account.provider} reports nothing`));
    const credentials = provider.credentials.parse(account.credentials);
    return async (call) =>
      (await provider.parseReceipts!(call, credentials, this.http)).map((receipt) => ({
        ...receipt,
        detail: receipt.detail === null ? null : cleanText(receipt.detail, MAX_DETAIL),
      }));
  }

  /** Why an `endpoint` may not stand in credentials, or null. */
  endpointFault(credentials: Record<string, unknown>): string | null {
    return this.options.production && credentials['endpoint'] !== undefined ? 'is refused in production' : null;
  }

  /** Where the vendor of this account reports to; null where it does not, or nobody told us our public address. */
  receiptsUrlOf({ id, provider }: { id: string; provider: string }): string | null {
    const { publicUrl } = this.options;
    return publicUrl !== undefined && providers[provider]?.parseReceipts
      ? `${publicUrl}/receipts/${provider}/${id}`
      : null;
  }

  async close(): Promise<void> {
    await this.http.close();
  }
}

function refusing(message: string): Connection {
  const refuse = (): Promise<never> =>
    Promise.reject(new ProviderError('misconfigured', message, { code: 'credentials' }));
  return { send: refuse, verify: refuse };
}
