// Decides whether a delivery is collected into a digest (docs/digests.md).

import { Temporal } from 'temporal-polyfill';
import type { WaitingReason } from '../delivery-state.js';
import type { DecidingRule } from './deciding-rules.js';
import { atLocalTime, localTimeAt } from './local-time.js';
import type { DigestPolicy } from './policies.js';

/** The facts that decide whether a delivery is collected. The recipient accepts it. */
export interface Collecting {
  /** Null if the category collects nothing. */
  policy: DigestPolicy | null;
  /** Whether the digest's template exists for the channel of the delivery. */
  hasTemplate: boolean;
  /** Whether the delivery is part of a digest already. */
  isCollected: boolean;
  /** Whether an attempt was made or begun. Its retries do not wait for a digest. */
  hasBegun: boolean;
  isOrdered: boolean;
  /** Whether the send named an address. A digest goes to the address of the profile. */
  hasOwnAddress: boolean;
  /** Of the recipient, else of the tenant, else UTC. */
  timezone: string;
}

/** When the digest is due: a time, or seconds after its first item, by the clock of the database. */
export type DigestDue = { at: Date } | { seconds: number };

export interface Collected {
  reason: Extract<WaitingReason, 'digest' | 'quiet_hours'>;
  rule: DecidingRule;
  detail: string;
  due: DigestDue;
  /** Collected by quiet hours: an item that is alone is sent as itself. */
  combined: boolean;
  /** When the quiet hours were read; only if combined. A later change of the hours makes the digest due. */
  decidedAt?: Date;
}

/** How the category collects the delivery, or null if it is sent by itself. */
export function decideDigest(collecting: Collecting, at: Date): Collected | null {
  const { policy, timezone } = collecting;
  if (!policy || !collecting.hasTemplate || !mayJoinDigest(collecting)) return null;
  const byDigest = { reason: 'digest', rule: 'category.digest', combined: false } as const;
  if (policy.at_local !== undefined) {
    const detail = `collected until ${policy.at_local} in ${timezone}`;
    return { ...byDigest, detail, due: { at: nextLocalTime(policy.at_local, timezone, at) } };
  }
  const seconds = policy.window_seconds!;
  return { ...byDigest, detail: `collected for ${seconds} s from the first item`, due: { seconds } };
}

/** Whether a delivery may wait in a digest at all. Applies to those that quiet hours combine, too. */
export function mayJoinDigest(
  collecting: Pick<Collecting, 'isCollected' | 'hasBegun' | 'isOrdered' | 'hasOwnAddress'>,
): boolean {
  return !(collecting.isCollected || collecting.hasBegun || collecting.isOrdered || collecting.hasOwnAddress);
}

/** The next time after `at` at which clocks in a zone show `time` ("09:00"), by the rules of {@link atLocalTime}. */
export function nextLocalTime(time: string, timezone: string, at: Date): Date {
  let day = Temporal.PlainDate.from(localTimeAt(at, timezone).slice(0, 10));
  for (;;) {
    const next = atLocalTime(`${day.toString()}T${time}:00`, timezone);
    if (next > at) return next;
    day = day.add({ days: 1 });
  }
}
