// The limits on the messages of one recipient that apply to a delivery: frequency caps of the recipient and of the
// tenant, and the tenant's recipient_limits. The sender and the explain route use the same functions.

import { type ChannelId, channelIds } from '../channels/registry.js';
import { recipientLimit } from '../limits.js';
import type { TenantSettings } from '../tenant-settings.js';
import { dayStarts } from './period-starts.js';
import type { Cap, CategoryPolicy, ExcessPolicy } from './policies.js';
import { firstTimezone } from './timezone.js';

/** A limit with a log of its own, which all deliveries that it counts take a place in. */
export interface KeyedLimit {
  /** The name of the log within the tenant. */
  readonly key: string;
  readonly recipientId: string;
  /** The deliveries that the log counts: of these channels and, unless null, of this category. */
  readonly channels: readonly ChannelId[];
  readonly category: string | null;
  readonly limit: number;
  readonly windowSeconds: number;
  /**
   * Null for a rolling window. Otherwise the limit is one per calendar day: the starts of days from yesterday on, in
   * milliseconds since 1970.
   */
  readonly days: readonly number[] | null;
  /** A refused delivery comes back, so it gets a turn. */
  readonly returns: boolean;
  /** A delivery that ends without a send gives its place back. */
  readonly isGivenBack: boolean;
}

/** A limit, and the decision on a delivery that it refuses. */
export interface DeliveryLimit extends KeyedLimit {
  readonly rule: 'recipient.caps' | 'tenant.caps' | 'recipient_limits';
  readonly reason: 'frequency_cap' | 'recipient_limit';
  readonly action: ExcessPolicy;
  readonly detail: string;
}

export interface LimitFacts {
  recipientId: string;
  channel: ChannelId;
  /** The key of the category of the notification. */
  categoryKey: string;
  /** Null if the tenant has not created it. */
  category: Pick<CategoryPolicy, 'mandatory' | 'onCap' | 'bypassCaps'> | null;
  /** The recipient's own. */
  caps: readonly Cap[];
  /** The recipient's. */
  timezone: string | null;
  settings: Pick<TenantSettings, 'caps' | 'recipient_limits' | 'timezone'>;
}

/** Longer than any day: 25 hours, where clocks are set back. */
const DAY_SECONDS = 90_000;
/** A cap without a channel counts what interrupts a person: no items of an inbox, and no webhooks. */
const interrupting: readonly ChannelId[] = channelIds.filter((id) => id !== 'in_app' && id !== 'webhook');
/** If several limits refuse, the first of them decides. */
const order: Record<ExcessPolicy, number> = { drop: 0, downgrade: 1, hold: 2 };

/** All limits of a delivery at the time `at` (milliseconds since 1970), in order of precedence. */
export function limitsOf(facts: LimitFacts, at: number): DeliveryLimit[] {
  if (facts.category?.bypassCaps) return [];
  const limits = [
    // What the tenant must send, the recipient cannot prevent.
    ...capLimits(facts, 'recipient.caps', facts.category?.mandatory ? [] : facts.caps, at),
    ...capLimits(facts, 'tenant.caps', facts.settings.caps ?? [], at),
    ...recipientLimits(facts),
  ];
  return limits.length < 2 ? limits : limits.toSorted((left, right) => order[left.action] - order[right.action]);
}

function recipientLimits({ channel, recipientId, settings }: LimitFacts): DeliveryLimit[] {
  const found = recipientLimit(channel, settings.recipient_limits);
  if (!found) return [];
  return [
    {
      ...found,
      key: `${channel}:${recipientId}`,
      recipientId,
      channels: [channel],
      category: null,
      days: null,
      returns: true,
      isGivenBack: false,
      rule: 'recipient_limits',
      reason: 'recipient_limit',
      action: 'hold',
      detail: `at most ${found.limit} on ${channel} in ${found.windowSeconds} s`,
    },
  ];
}

type CapRule = 'recipient.caps' | 'tenant.caps';

function capLimits(facts: LimitFacts, rule: CapRule, caps: readonly Cap[], at: number): DeliveryLimit[] {
  const limits = new Map<string, DeliveryLimit>();
  for (const cap of caps) {
    if (!counts(cap, facts)) continue;
    const limit = capLimit(facts, rule, cap, at);
    // Of caps on the same messages in the same window, only the smallest has an effect.
    const same = limits.get(limit.key);
    if (!same || limit.limit < same.limit) limits.set(limit.key, limit);
  }
  return [...limits.values()];
}

function counts(cap: Cap, { channel, categoryKey }: LimitFacts): boolean {
  const isChannel = cap.channel === undefined ? interrupting.includes(channel) : cap.channel === channel;
  return isChannel && (cap.category === undefined || cap.category === categoryKey);
}

function capLimit(facts: LimitFacts, rule: CapRule, cap: Cap, at: number): DeliveryLimit {
  const { recipientId, settings } = facts;
  const zone = firstTimezone(facts.timezone, settings.timezone);
  const wanted = facts.category?.onCap ?? cap.on_excess;
  // An item for the inbox cannot become an item for the inbox.
  const action = wanted === 'downgrade' && facts.channel === 'in_app' ? 'hold' : wanted;
  const window = cap.window_seconds ?? 'day';
  const scope = [cap.channel, cap.category && `category ${cap.category}`].filter((part) => part !== undefined);
  return {
    key: `cap:${JSON.stringify([rule, cap.channel ?? null, cap.category ?? null, window, recipientId])}`,
    recipientId,
    channels: cap.channel === undefined ? interrupting : [cap.channel],
    category: cap.category ?? null,
    limit: cap.limit,
    windowSeconds: cap.window_seconds ?? DAY_SECONDS,
    days: cap.window_seconds === undefined ? dayStarts(zone, at) : null,
    returns: action === 'hold',
    isGivenBack: true,
    rule,
    reason: 'frequency_cap',
    action,
    detail: [
      `at most ${cap.limit}`,
      ...(scope.length > 0 ? [`of ${scope.join(', ')}`] : []),
      cap.window_seconds === undefined ? `a day in ${zone}` : `in ${cap.window_seconds} s`,
    ].join(' '),
  };
}

/**
 * The limit that refuses a delivery, or null if none does. `waits` has the seconds until the next place of each limit,
 * in their order. A limit whose deliveries do not return refuses first; otherwise the last place decides.
 */
export function refusingLimit(limits: readonly KeyedLimit[], waits: readonly number[]): number | null {
  const final = limits.findIndex((limit, index) => !limit.returns && waits[index]! > 0);
  if (final >= 0) return final;
  const longest = Math.max(0, ...waits);
  return longest > 0 ? waits.indexOf(longest) : null;
}
