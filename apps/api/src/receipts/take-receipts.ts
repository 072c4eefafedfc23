import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Config } from '#config';
import { type DeliveryReceipt, type ReceiptResult, ReceiptsStore } from '#database';
import { atMost, DomainError, PLATFORM_TENANT_ID } from '#domain';
import { type Receipt, ReceiptRefused } from '#providers';
import { deliveryTraceId, instruments, type Logger, noteReceipt, spanSink } from '#telemetry';
import { FailureLimit, sourceOf } from '../access/failure-limit.js';
import { CONFIG, LOGGER } from '../tokens.js';
import { type ReportingAccount, ReportingAccounts } from './reporting-accounts.js';
import { TenantShares } from './tenant-shares.js';

export interface VendorCall {
  provider: string;
  accountId: string;
  /** Of the client. */
  address: string;
  /** Path and query. */
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** The receipts of one call, in their order. */
interface TakenReceipts {
  receipts: readonly Receipt[];
  taken: readonly PromiseSettledResult<ReceiptResult>[];
  /** Empty while traces are off. */
  traceparents: readonly (string | null)[];
}

/** How long an address counts as a sender of valid receipts for an account. */
const VALID_SENDER_TTL_MS = 3_600_000;
/** For calls back to the vendor, such as fetching a signing certificate. */
const DEADLINE_MS = 10_000;
const MAX_FOREIGN_LOGGED = 5;

/** Verifies calls of vendors and applies the receipts in them to their deliveries. */
@Injectable()
export class TakeReceipts {
  private readonly shares = new TenantShares();
  private readonly wrongSignatures = new FailureLimit('wrong signatures');
  /** Accounts with the addresses that sent valid receipts for them. These are never refused for wrong signatures. */
  private readonly validSenders = new LRUCache<string, true>({ ...atMost(50_000), ttl: VALID_SENDER_TTL_MS });

  constructor(
    private readonly accounts: ReportingAccounts,
    private readonly receipts: ReceiptsStore,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Returns the number of receipts in the call. Throws `forbidden` for a wrong signature, `not_found` for an unknown
   * account, and `rate_limited` for too many of either. The store writes waiting receipts of several calls together.
   */
  async run(call: VendorCall): Promise<number> {
    const startedAt = performance.now();
    const source = sourceOf(call.address);
    const account = await this.accounts.get(call.provider, call.accountId, source);
    const found = await this.readValid(account, call, `${call.accountId} ${source}`);
    const taken = await this.shares.write(
      found,
      ({ tenantId }) => (account.tenantId === PLATFORM_TENANT_ID ? tenantId : account.tenantId),
      (receipt) => this.take(account, { ...receipt, accountId: call.accountId }),
    );
    if (found.length > 0) {
      const traceparents = await this.traceparentsOf(found);
      this.log(call, { receipts: found, taken, traceparents });
      trace(call, { receipts: found, taken, traceparents }, startedAt);
    }
    // The error makes the vendor repeat the whole call; receipts that were applied are recognized as repeats.
    for (const result of taken) if (result.status === 'rejected') throw result.reason;
    return found.length;
  }

  /** Limits wrong signatures per sender (account and source address), before the signature is checked. */
  private async readValid(account: ReportingAccount, call: VendorCall, sender: string): Promise<Receipt[]> {
    if (!this.validSenders.has(sender)) this.wrongSignatures.check(sender);
    try {
      const found = await this.read(account, call);
      this.validSenders.set(sender, true);
      return found;
    } catch (error) {
      if (!(error instanceof DomainError && error.code === 'forbidden')) throw error;
      throw this.wrongSignatures.count(sender, error);
    }
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
        bindToken: (token, report, until) => this.bindToken(token, report, until),
      });
    } catch (error) {
      if (error instanceof ReceiptRefused) throw new DomainError('forbidden', error.message);
      if (error instanceof SyntaxError)
        throw new DomainError('malformed_json', `The body is not JSON: ${error.message}`);
      throw error;
    }
  }

  private async bindToken(token: string, report: unknown, until: Date): Promise<void> {
    if (!(await this.receipts.bindToken(digestOf(token), digestOf(JSON.stringify(report)), until)))
      throw new ReceiptRefused('The signed token of this call was used before, with another report');
  }

  private async take(account: ReportingAccount, receipt: DeliveryReceipt): Promise<ReceiptResult> {
    // A platform account may have sent deliveries of every tenant. The store checks that the account sent this one.
    const isOwn = account.tenantId === receipt.tenantId || account.tenantId === PLATFORM_TENANT_ID;
    const result = isOwn ? await this.receipts.take(receipt) : 'foreign';
    instruments().receipts.add(1, { provider: account.provider, kind: receipt.kind, result });
    return result;
  }

  private async traceparentsOf(receipts: readonly Receipt[]): Promise<(string | null)[]> {
    // A vendor's call must not fail for its trace.
    return spanSink() ? await this.receipts.traceparentsOf(receipts).catch(() => []) : [];
  }

  /** One line per call, because a vendor may report thousands of receipts at once. Timelines have the details. */
  private log(call: VendorCall, { receipts, taken, traceparents }: TakenReceipts): void {
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
        ...(only && {
          tenant_id: only.tenantId,
          delivery_id: only.deliveryId,
          trace_id: deliveryTraceId({ ...only, traceparent: traceparents[0] ?? null }),
        }),
        results,
        ...(foreign.length > 0 && { foreign_delivery_ids: foreign }),
      },
      'receipts processed',
    );
  }
}

/** A span for each receipt, in the trace of its notification. */
function trace(call: VendorCall, { receipts, taken, traceparents }: TakenReceipts, startedAt: number): void {
  for (const [index, traceparent] of traceparents.entries()) {
    const { tenantId, deliveryId, kind } = receipts[index]!;
    const settled = taken[index]!;
    const result = settled.status === 'fulfilled' ? settled.value : 'not_written';
    if (result === 'foreign' || result === 'gone') continue;
    noteReceipt({ deliveryId, traceparent }, startedAt, {
      'carillon.tenant_id': tenantId,
      'carillon.delivery_id': deliveryId,
      'carillon.provider': call.provider,
      'carillon.provider_account_id': call.accountId,
      'carillon.receipt': kind,
      'carillon.result': result,
    });
  }
}

/** 128 bits as base64url. Short, because the table has a row for each event of the vendor. */
function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
