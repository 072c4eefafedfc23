import { Injectable } from '@nestjs/common';
import {
  decideQuietHours,
  type Outcome,
  type QuietDecision,
  refusedByConsent,
  releaseTime,
  StopPipeline,
} from '#domain';
import { collectByCategory, combineHeld } from './digest/collect-item.js';
import { Downgrade } from './downgrade.js';
import type { Consented, Loaded } from './pipeline-context.js';

/**
 * Suppresses a delivery that the recipient has opted out of, or whose address or tenant may not be used. Keeps back a
 * delivery in quiet hours, and collects one that its category sends in a digest.
 */
@Injectable()
export class ConsentStep {
  constructor(private readonly downgrade: Downgrade) {}

  async run(loaded: Loaded): Promise<Consented> {
    const { context, channel } = loaded;
    const refused = refusedByConsent(context, channel.id);
    if (refused) throw new StopPipeline({ kind: 'suppressed', ...refused });
    const collected = collectByCategory(loaded, context.loadedAt);
    if (collected) throw new StopPipeline(collected);
    const quiet = decideQuietHours(context, channel.id, context.loadedAt);
    if (quiet) throw new StopPipeline(await this.keptBack(loaded, quiet));
    return { ...loaded, consented: true };
  }

  private async keptBack(loaded: Loaded, quiet: QuietDecision): Promise<Outcome> {
    const { reason, rule, detail } = quiet;
    if (quiet.action === 'drop') return { kind: 'suppressed', reason, rule, detail };
    if (quiet.action === 'combine') {
      const combined = combineHeld(loaded, { rule, detail, until: releaseOf(loaded, quiet) });
      if (combined) return combined;
    }
    if (quiet.action === 'downgrade') {
      const downgraded = await this.downgrade.outcomeOf(loaded, { reason, rule, detail });
      if (downgraded) return downgraded;
    }
    return heldUntilRelease(loaded, quiet);
  }
}

/** `delaySeconds` counts from the record, which is a moment after `loadedAt`: a delivery is never released early. */
function heldUntilRelease(loaded: Loaded, quiet: QuietDecision): Outcome {
  const { loadedAt, notification } = loaded.context;
  const { reason, rule, detail } = quiet;
  return {
    kind: 'held',
    reason,
    rule,
    delaySeconds: (releaseOf(loaded, quiet).getTime() - loadedAt.getTime()) / 1_000,
    detail,
    heldByPolicy: { recipientId: notification.recipientId, decidedAt: loadedAt },
  };
}

function releaseOf({ delivery, channel, context }: Loaded, { until }: QuietDecision): Date {
  return releaseTime(context, { channel: channel.id, until, deliveryId: delivery.deliveryId });
}
