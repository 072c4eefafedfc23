import { z } from 'zod';
import type { ChannelId } from '#domain';
import type { Transported } from '../delivery-transport.js';

/** A claimed delivery that can travel. */
export interface Claimable extends Transported {
  readonly claimId: string;
  readonly attempt: number;
  readonly sending: boolean;
  /** Deliveries with the same key reach the same consumer in order: the hash of the recipient, or of the ordering key. */
  readonly messageKey: string;
  /** W3C trace context, in the header of the same name. */
  readonly traceparent: string | null;
}

/** What a message says of a claim. Whether it still holds, the database knows. */
export interface ClaimTicket extends Pick<Claimable, 'tenantId' | 'deliveryId' | 'claimId' | 'attempt' | 'sending'> {
  readonly channel: ChannelId;
}

/**
 * Raised when an old worker could not take a new message; a worker that meets a version it does not know buries the message,
 * and the delivery comes back when its lease ends.
 */
const VERSION = 1;

/**
 * A claimed delivery on the wire. It names a claim and what was known when the claim was made; everything else is read from
 * the database by whoever takes it, so that an old message does nothing.
 */
const deliveryMessage = z.object({
  v: z.literal(VERSION),
  tenant_id: z.uuid(),
  delivery_id: z.uuid(),
  claim_id: z.uuid(),
  attempt: z.int().min(0),
  sending: z.boolean(),
});

export function writeDeliveryMessage(delivery: Claimable): string {
  const message: z.infer<typeof deliveryMessage> = {
    v: VERSION,
    tenant_id: delivery.tenantId,
    delivery_id: delivery.deliveryId,
    claim_id: delivery.claimId,
    attempt: delivery.attempt,
    sending: delivery.sending,
  };
  return JSON.stringify(message);
}

/** The claim that a message names, or in words what is wrong with it. */
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
  };
}
