import { setTimeout as delay } from 'node:timers/promises';
import { type ClaimedDelivery, type DueDeliveriesStore, isUnavailable, WrongMasterKey } from '#database';
import { instruments, type Logger } from '#telemetry';
import type { LockedAccounts } from './locked-accounts.js';

const RETRY_MS = 250;

/** Why a claim goes back, and after how many seconds the delivery is due again. */
const DELAY_SECONDS = {
  /** The next worker takes it at once. */
  stopping: 0,
  /** The database answers by then: the claim went back. */
  outage: 1,
  /** Another worker has the right key. */
  master_key: 1,
} as const;

type Reason = keyof typeof DELAY_SECONDS;

/** This run has sent nothing and will not: the worker stops, or the intent could not be committed (`cause`). */
export class NotSent extends Error {
  override readonly name = 'NotSent';
}

/**
 * Handles pipeline errors. Shutdown, an outage and a wrong master key are not the delivery's fault: releases the claim without
 * counting it. Any other error is a bug: keeps the claim until its lease ends; repeated bugs quarantine the delivery.
 */
export class GiveClaimBack {
  constructor(
    private readonly due: DueDeliveriesStore,
    private readonly locked: LockedAccounts,
    private readonly stopping: AbortSignal,
    private readonly logger: Logger,
  ) {}

  /** Resolves when the claim is back, which during an outage is after its end; or when it is left to its lease. */
  async run(delivery: ClaimedDelivery, error: unknown): Promise<void> {
    const { tenantId, deliveryId, channel } = delivery;
    const ids = { tenant_id: tenantId, delivery_id: deliveryId, channel };
    const reason = reasonOf(error, this.stopping);
    if (reason === null) {
      instruments().outcomes.add(1, { channel, outcome: 'error', reason: '' });
      this.logger.error({ ...ids, err: error }, 'the pipeline failed; the delivery comes back at the end of its lease');
      return;
    }
    instruments().returned.add(1, { channel, reason });
    if (reason === 'master_key') {
      if (this.locked.note(tenantId, channel))
        this.logger.error({ ...ids, err: error }, 'the master key does not open the provider accounts');
    } else if (reason === 'outage')
      this.logger.warn({ ...ids, err: error }, 'database unavailable; releasing the claim');
    await this.release(delivery, DELAY_SECONDS[reason], error instanceof NotSent);
  }

  private async release(delivery: ClaimedDelivery, delaySeconds: number, intentUnsure: boolean): Promise<void> {
    for (;;) {
      try {
        await this.due.release({ delivery, delaySeconds, intentUnsure });
        return;
      } catch (error) {
        if (this.stopping.aborted || !isUnavailable(error)) {
          this.logger.warn({ err: error, delivery_id: delivery.deliveryId }, 'a claim could not be given back');
          return;
        }
        await delay(RETRY_MS);
      }
    }
  }
}

/** Null for a bug. */
function reasonOf(error: unknown, stopping: AbortSignal): Reason | null {
  if (error instanceof WrongMasterKey) return 'master_key';
  if (isUnavailable(error)) return 'outage';
  return error instanceof NotSent && error.cause === undefined && stopping.aborted ? 'stopping' : null;
}
