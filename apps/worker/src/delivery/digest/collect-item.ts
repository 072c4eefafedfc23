import { type Collecting, type DecidingRule, decideDigest, firstTimezone, mayJoinDigest, type Outcome } from '#domain';
import type { Loaded } from '../pipeline-context.js';

type CollectedOutcome = Extract<Outcome, { kind: 'collected' }>;

/** The outcome of a delivery that its category collects into a digest; null for one that is sent by itself. */
export function collectByCategory(loaded: Loaded, at: Date): CollectedOutcome | null {
  if (!loaded.context.category?.digest) return null;
  const collected = decideDigest(collectingOf(loaded), at);
  return collected && { kind: 'collected', ...collected };
}

/**
 * The outcome of a delivery that quiet hours hold and whose category combines such deliveries: an item of the digest
 * that is due at their end. Null for one that cannot be combined and is held by itself: it leads a digest already, an
 * attempt was made, or it has an ordering key or an address of its own.
 */
export function combineHeld(
  loaded: Loaded,
  { until, rule, detail }: { until: Date; rule: DecidingRule; detail: string },
): CollectedOutcome | null {
  if (!mayJoinDigest(collectingOf(loaded))) return null;
  const decidedAt = loaded.context.loadedAt;
  return { kind: 'collected', reason: 'quiet_hours', combined: true, due: { at: until }, decidedAt, rule, detail };
}

function collectingOf({ delivery, context }: Loaded): Collecting {
  return {
    policy: context.category?.digest ?? null,
    hasTemplate: context.digestTemplateHeads.length > 0,
    isCollected: delivery.digestId !== null,
    hasBegun: delivery.sending || delivery.retries > 0 || delivery.triedAccountIds.length > 0,
    isOrdered: delivery.ordered,
    hasOwnAddress: context.address !== null,
    timezone: firstTimezone(context.recipient?.timezone, context.tenant.settings.timezone),
  };
}
