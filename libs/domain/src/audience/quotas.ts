import type { TenantSettings } from '../tenant-settings.js';
import { dayStarts, monthStarts } from './period-starts.js';
import { firstTimezone } from './timezone.js';

export const quotaPeriods = ['day', 'month'] as const;
export type QuotaPeriod = (typeof quotaPeriods)[number];

/** The percentages of a quota at which the tenant gets an event. */
export const quotaWarnings = [80, 100] as const;

/** At most `allowed` deliveries of a tenant in a calendar day or month of its time zone. */
export interface Quota {
  readonly period: QuotaPeriod;
  readonly allowed: number;
  /** The starts of periods from the last one on, in milliseconds since 1970. */
  readonly starts: readonly number[];
}

/** Why a quota holds a delivery. */
export function quotaDetail({ allowed, period }: Pick<Quota, 'allowed' | 'period'>): string {
  return `at most ${allowed} deliveries of the tenant a ${period}`;
}

/** The quotas of a tenant at the time `at` (milliseconds since 1970); usually none. */
export function quotasOf(
  settings: Pick<TenantSettings, 'deliveries_per_day' | 'deliveries_per_month' | 'timezone'>,
  at: number,
): Quota[] {
  const { deliveries_per_day: perDay, deliveries_per_month: perMonth, timezone } = settings;
  const zone = firstTimezone(timezone);
  return [
    ...(perDay === undefined ? [] : [{ period: 'day' as const, allowed: perDay, starts: dayStarts(zone, at) }]),
    ...(perMonth === undefined ? [] : [{ period: 'month' as const, allowed: perMonth, starts: monthStarts(zone, at) }]),
  ];
}
