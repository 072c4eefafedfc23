import { z } from 'zod';
import type { ChannelId } from '#domain';
import type { DeliveryReference } from '../delivery-transport.js';

/** A claimed delivery, with the fields that its message needs. */
export interface DeliveryClaim extends DeliveryReference {
  readonly claimId: string;
  readonly attempt: number;
  readonly sending: boolean;
  /** The claim counts when it is confirmed. */
  readonly countedLater: boolean;
  /** Hash of the recipient or of the ordering key. Deliveries with the same key reach the same consumer in order. */
  readonly messageKey: string;
}

/** The claim that a message names. Only the database knows whether it is still valid. */
export interface ClaimTicket
  extends Pick<DeliveryClaim, 'tenantId' | 'deliveryId' | 'claimId' | 'attempt' | 'sending' | 'countedLater'> {
  readonly channel: ChannelId;
}

/**
 * To be raised when older workers cannot read the message. A worker adds messages of an unknown version to the dead
 * letters, and the delivery is claimed again when its lease ends.
 */
const VERSION = 1;

/**
 * The message names the claim and its state at that time. The consumer reads everything else from the database, so an
 * outdated message has no effect.
 */
const deliveryMessage = z.object({
  v: z.literal(VERSION),
  tenant_id: z.uuid(),
  delivery_id: z.uuid(),
  claim_id: z.uuid(),
  attempt: z.int().min(0),
  sending: z.boolean(),
  // Older workers do not write it, and count each claim when they make it.
  counted_later: z.boolean().default(false),
});

export function writeDeliveryMessage(delivery: DeliveryClaim): string {
  const message: z.infer<typeof deliveryMessage> = {
    v: VERSION,
    tenant_id: delivery.tenantId,
    delivery_id: delivery.deliveryId,
    claim_id: delivery.claimId,
    attempt: delivery.attempt,
    sending: delivery.sending,
    counted_later: delivery.countedLater,
  };
  return JSON.stringify(message);
}

/** The claim that a message names, or a description of the error in it. */
export function parseDeliveryMessage(value: Buffer | null): Omit<ClaimTicket, 'channel'> | string {
  let json: unknown;
  try {
    json = JSON.parse(value?.toString() ?? '');
  } catch {
    return 'not JSON';
  }
  const parsed = deliveryMessage.safeParse(json);
  if (!parsed.success) {
    const version = (json as { v?: unknown } | null)?.v;
    if (version !== VERSION) return `unknown message version ${JSON.stringify(version)}`;
    return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  }
  const { data } = parsed;
  return {
    tenantId: data.tenant_id,
    deliveryId: data.delivery_id,
    claimId: data.claim_id,
    attempt: data.attempt,
    sending: data.sending,
    countedLater: data.counted_later,
  };
}
