import { z } from 'zod';

/**
 * A claimed delivery on the wire. It names a claim and what was known when the claim was made; everything else is read from the
 * database by whoever takes it, so that an old message does nothing.
 *
 * `v` is raised when an old worker could not take a new message; a worker that meets a version it does not know buries the
 * message, and the delivery comes back when its lease ends.
 */
export const deliveryMessage = z.object({
  v: z.literal(1),
  tenant_id: z.uuid(),
  delivery_id: z.uuid(),
  claim_id: z.uuid(),
  attempt: z.int().min(0),
  sending: z.boolean(),
});

export type DeliveryMessage = z.infer<typeof deliveryMessage>;

export const MESSAGE_VERSION = 1;
