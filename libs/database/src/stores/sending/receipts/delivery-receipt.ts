import type { ReceiptKind, SuppressionReason } from '#domain';

/** A vendor's report about one delivery. */
export interface DeliveryReceipt {
  tenantId: string;
  /**
   * The provider account that reports. Its receipts apply only to deliveries that were sent through it. Null for a
   * receipt that the sandbox simulates: it is not checked.
   */
  accountId: string | null;
  deliveryId: string;
  kind: ReceiptKind;
  detail: string | null;
  /** Puts the address of an e-mail or SMS on the suppression list. */
  suppress?: SuppressionReason | undefined;
}

/**
 * `early`: the record of the send is not committed yet. `refused`: the provider refused every attempt of this delivery,
 * so the receipt contradicts it. `foreign`: the account has not sent this delivery. `gone`: the delivery does not exist
 * (any more).
 */
export type ReceiptResult = 'applied' | 'repeated' | 'early' | 'refused' | 'foreign' | 'gone';
