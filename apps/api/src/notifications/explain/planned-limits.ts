import { Inject, Injectable } from '@nestjs/common';
import { type DeliveryContext, deliveryLimits, QuotasStore } from '#database';
import {
  type ChannelId,
  type DecidingRule,
  type DeliveryLimit,
  type ExcessPolicy,
  type QuotaPeriod,
  quotaDetail,
  refusingLimit,
  type SuppressedReason,
} from '#domain';
import type { Limiter } from '#rate-limit';
import { LIMITER } from '../../tokens.js';
import type { ExplanationView } from './explain.schema.js';
import { type Verdict, waiting } from './verdict.js';

/** A limit that refuses a delivery. */
export interface Refusal {
  action: ExcessPolicy;
  reason: SuppressedReason;
  rule: DecidingRule;
  detail: string;
  /** The decision if the delivery is held. */
  held: Verdict;
}

interface Place {
  limit: DeliveryLimit;
  remaining: number;
  /** When the next place is free; null if that is not known. */
  freeAt: Date | null;
}

interface QuotaPlace {
  period: QuotaPeriod;
  allowed: number;
  remaining: number;
  endsAt: Date;
}

/** The places of one send: its deliveries are explained in their order, as if each took its places. */
export class PlannedLimits {
  constructor(
    private readonly places: readonly Place[],
    private readonly quotas: readonly QuotaPlace[],
  ) {}

  get view(): ExplanationView['caps'] {
    return [
      ...this.places.map(({ limit, remaining, freeAt }) => ({
        rule: limit.rule,
        limit: limit.limit,
        remaining,
        resets_at: remaining > 0 ? null : (freeAt?.toISOString() ?? null),
      })),
      ...this.quotas.map(({ allowed, remaining, endsAt }) => ({
        rule: 'tenant.quota' as const,
        limit: allowed,
        remaining,
        resets_at: remaining > 0 ? null : endsAt.toISOString(),
      })),
    ];
  }

  /** The decision of the limit step at a time; null if it lets the delivery pass. */
  refusalAt(at: Date): Refusal | null {
    const waits = this.places.map((place) => secondsUntilFree(place, at));
    const index = refusingLimit(
      this.places.map(({ limit }) => limit),
      waits,
    );
    if (index !== null) {
      const { limit, freeAt } = this.places[index]!;
      const { action, rule, detail } = limit;
      return { action, reason: 'frequency_cap', rule, detail, held: waiting(limit.reason, rule, freeAt, detail) };
    }
    const [full] = this.quotas
      .filter(({ remaining, endsAt }) => remaining <= 0 && endsAt > at)
      .toSorted((left, right) => right.endsAt.getTime() - left.endsAt.getTime());
    if (!full) return null;
    const detail = quotaDetail(full);
    const held = waiting('quota', 'tenant.quota', full.endsAt, detail);
    return { action: 'hold', reason: 'frequency_cap', rule: 'tenant.quota', detail, held };
  }
}

function secondsUntilFree({ remaining, freeAt }: Place, at: Date): number {
  if (remaining > 0) return 0;
  return freeAt === null ? Number.MAX_VALUE : Math.max(0, (freeAt.getTime() - at.getTime()) / 1_000);
}

/** Reads the limits of deliveries that are not made, without taking a place. */
@Injectable()
export class ReadPlannedLimits {
  constructor(
    @Inject(LIMITER) private readonly limiter: Limiter,
    private readonly quotas: QuotasStore,
  ) {}

  /** `before`: the deliveries of the same send that would have passed before. */
  async run(channel: ChannelId, context: DeliveryContext, before: readonly PlannedPass[]): Promise<PlannedLimits> {
    const now = new Date();
    const { tenantId } = context.notification;
    const { limits, quotas } = deliveryLimits(channel, context, now.getTime());
    const places = await this.limiter.peek({ tenantId, limits });
    const usage = quotas.length > 0 ? await this.quotas.usage(tenantId) : [];
    const taken = (key: string): number => before.filter(({ keys }) => keys.includes(key)).length;
    return new PlannedLimits(
      limits.map((limit, index) => {
        const { remaining, waitSeconds } = places[index]!;
        const left = Math.max(0, remaining - taken(limit.key));
        const isKnown = left > 0 || waitSeconds > 0;
        return { limit, remaining: left, freeAt: isKnown ? new Date(now.getTime() + waitSeconds * 1_000) : null };
      }),
      quotas.map(({ period, allowed, starts }) => {
        const used = usage.find((one) => one.period === period)?.used ?? 0;
        const endsAt = new Date(starts.find((start) => start > now.getTime())!);
        return { period, allowed, remaining: Math.max(0, allowed - used - before.length), endsAt };
      }),
    );
  }
}

/** A delivery of the same send that would take these places. */
export interface PlannedPass {
  keys: readonly string[];
}

export function passOf(channel: ChannelId, context: DeliveryContext): PlannedPass {
  return { keys: deliveryLimits(channel, context, Date.now()).limits.map(({ key }) => key) };
}
