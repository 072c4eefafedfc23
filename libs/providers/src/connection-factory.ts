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
  /** Whether to refuse accounts that set `endpoint`. */
  production: boolean;
  /** The public address of the API, without a trailing slash. */
  publicUrl: string | undefined;
  /** Private ranges that may be connected to, in CIDR notation. */
  egressAllowedCidrs: readonly string[];
  deposit: ProviderContext['deposit'];
}

/** Characters of a vendor's text that a receipt keeps. */
const MAX_DETAIL = 1_000;

/** Opens connections for accounts. Owns the HTTP client and the egress guard that they share. */
export class ConnectionFactory {
  readonly guard: EgressGuard;
  readonly http: VendorHttp;

  constructor(private readonly options: ConnectionFactoryOptions) {
    this.guard = new EgressGuard(options.egressAllowedCidrs);
    this.http = new VendorHttp(this.guard);
  }

  /** Never throws: if the credentials cannot be used, the connection refuses each send as `misconfigured`. */
  open(account: { id: string; provider: string; credentials: Record<string, unknown> }): Connection {
    const provider = providers[account.provider];
    if (!provider) return refusingConnection(`Unknown provider ${JSON.stringify(account.provider)}`);
    const endpointError = this.endpointError(account.credentials);
    if (endpointError) return refusingConnection(`credentials.endpoint: ${endpointError}`);
    const credentials = provider.credentials.safeParse(account.credentials);
    // A generic message, because a validation error may contain the value of a secret.
    if (!credentials.success)
      return refusingConnection('The stored credentials are not valid for the provider; set them again');
    const { http, guard, options } = this;
    return provider.connect(credentials.data, {
      http,
      guard,
      deposit: options.deposit,
      receiptsUrl: this.receiptsUrlOf(account),
    });
  }

  /** Returns a function that parses the vendor's calls for one account. It throws {@link ReceiptRefused}. */
  receiptReader(account: {
    provider: string;
    credentials: Record<string, unknown>;
  }): (call: ReceiptCall) => Promise<Receipt[]> {
    const provider = providers[account.provider];
    if (!provider?.parseReceipts)
      return () => Promise.reject(new ReceiptRefused(`${account.provider} has no receipts`));
    const endpointError = this.endpointError(account.credentials);
    // The receipts of SES are verified with a certificate that the endpoint could replace.
    if (endpointError) return () => Promise.reject(new ReceiptRefused(`credentials.endpoint: ${endpointError}`));
    const credentials = provider.credentials.parse(account.credentials);
    return async (call) =>
      (await provider.parseReceipts!(call, credentials, this.http)).map((receipt) => ({
        ...receipt,
        // A vendor may send another type than it documents.
        detail: typeof receipt.detail === 'string' ? cleanText(receipt.detail, MAX_DETAIL) : null,
      }));
  }

  /** The validation error of `endpoint` in credentials, or null. */
  endpointError(credentials: Record<string, unknown>): string | null {
    return this.options.production && credentials['endpoint'] !== undefined ? 'is refused in production' : null;
  }

  /** The URL for this account's receipts; null if the provider has none or `PUBLIC_URL` is not set. */
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

function refusingConnection(message: string): Connection {
  const refuse = (): Promise<never> =>
    Promise.reject(new ProviderError('misconfigured', message, { code: 'credentials' }));
  return { send: refuse, verify: refuse };
}
