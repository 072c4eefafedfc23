import type { ReceiptKind, SuppressionReason } from '#domain';

/** A vendor's report about one delivery. */
export interface DeliveryReceipt {
  tenantId: string;
  deliveryId: string;
  kind: ReceiptKind;
  detail: string | null;
  /** Puts the address of an e-mail or SMS on the suppression list. */
  suppress?: SuppressionReason | undefined;
}

/**
 * `early`: the record of the send is not committed yet. `refused`: the provider refused every attempt of this delivery,
 * so the receipt contradicts it. `gone`: the delivery does not exist (any more).
 */
export type ReceiptResult = 'applied' | 'repeated' | 'early' | 'refused' | 'gone';
