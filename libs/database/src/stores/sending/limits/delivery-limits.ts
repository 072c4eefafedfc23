import { type ChannelId, type DeliveryLimit, limitsOf, type Quota, quotasOf } from '#domain';
import type { DeliveryContext } from '../delivery-context.js';

export interface DeliveryLimits {
  /** Of its recipient. */
  limits: DeliveryLimit[];
  /** Of its tenant. */
  quotas: Quota[];
}

/**
 * What limits a delivery at the time `at` (milliseconds since 1970). A webhook is sent to an endpoint of the tenant and
 * has no limits.
 */
export function deliveryLimits(channel: ChannelId, context: DeliveryContext, at: number): DeliveryLimits {
  const { notification, recipient, category, caps, tenant } = context;
  if (notification.endpointId) return { limits: [], quotas: [] };
  const facts = {
    recipientId: notification.recipientId,
    channel,
    categoryKey: notification.category,
    category,
    caps,
    timezone: recipient?.timezone ?? null,
    settings: tenant.settings,
  };
  return { limits: limitsOf(facts, at), quotas: quotasOf(tenant.settings, at) };
}
