import { z } from 'zod';
import type { QuotaUsage } from '#database';
import { type QuotaPeriod, quotasOf, type TenantSettings } from '#domain';
import { time } from '../http/schemas.js';

const periodView = z
  .object({
    allowed: z.int(),
    used: z.int(),
    remaining: z.int().meta({ description: 'Further deliveries wait for the next period when it is 0' }),
    ends_at: time,
  })
  .nullable()
  .meta({ description: 'Null without a quota' });

export const quotaView = z
  .object({ day: periodView, month: periodView })
  .meta({ id: 'Quota', description: "Deliveries in the current day and month of the tenant's time zone" });
export type QuotaView = z.infer<typeof quotaView>;

export function toQuotaView(settings: TenantSettings, usages: readonly QuotaUsage[]): QuotaView {
  const now = Date.now();
  const quotas = quotasOf(settings, now);
  const viewOf = (wanted: QuotaPeriod): QuotaView['day'] => {
    const quota = quotas.find(({ period }) => period === wanted);
    if (!quota) return null;
    const usage = usages.find(({ period }) => period === wanted);
    const used = usage?.used ?? 0;
    const endsAt = usage?.endsAt ?? new Date(quota.starts.find((start) => start > now)!);
    return {
      allowed: quota.allowed,
      used,
      remaining: Math.max(0, quota.allowed - used),
      ends_at: endsAt.toISOString(),
    };
  };
  return { day: viewOf('day'), month: viewOf('month') };
}
