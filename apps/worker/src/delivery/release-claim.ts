import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { type ClaimedDelivery, DueDeliveriesStore, isUnavailable, WrongMasterKey } from '#database';
import { deliveryFields, instruments, type Logger } from '#telemetry';
import { Shutdown } from '../shutdown.js';
import { LOGGER } from '../tokens.js';
import { LockedAccounts } from './locked-accounts.js';
import { NotSent } from './send/not-sent.js';

const RETRY_MS = 250;

/** Seconds until the delivery is due again, by the reason for its release. */
const DELAY_SECONDS = {
  /** Another worker can claim it at once. */
  stopping: 0,
  /** The database answered the release, so the outage may be over; the delay avoids a busy loop if it is not. */
  outage: 1,
  /** Only a worker with the right master key can send it. */
  master_key: 1,
} as const;

type Reason = keyof typeof DELAY_SECONDS;

/**
 * Handles pipeline errors. Shutdown, an outage and a wrong master key are not the delivery's fault: releases the
 * claim without counting it. Any other error is a bug: keeps the claim until its lease ends; repeated bugs quarantine
 * the delivery.
 */
@Injectable()
export class ReleaseClaim {
  constructor(
    private readonly due: DueDeliveriesStore,
    private readonly locked: LockedAccounts,
    private readonly shutdown: Shutdown,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Resolves when the claim is released, which during an outage is after its end, or when the claim is kept. */
  async run(delivery: ClaimedDelivery, error: unknown): Promise<void> {
    const { tenantId, channel } = delivery;
    const ids = deliveryFields(delivery);
    const reason = reasonOf(error, this.shutdown);
    if (reason === null) {
      instruments().outcomes.add(1, { channel, provider: '', state: 'waiting', outcome: 'error', reason: '' });
      this.logger.error({ ...ids, err: error }, 'the pipeline failed; the delivery is due again when its lease ends');
      return;
    }
    instruments().claimsReturned.add(1, { channel, reason });
    if (reason === 'master_key') {
      if (this.locked.lock(tenantId, channel))
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
        if (this.shutdown.hasBegun || !isUnavailable(error)) {
          this.logger.warn({ ...deliveryFields(delivery), err: error }, 'releasing a claim failed');
          return;
        }
        await delay(RETRY_MS);
      }
    }
  }
}

/** Null for a bug. */
function reasonOf(error: unknown, shutdown: Shutdown): Reason | null {
  if (error instanceof WrongMasterKey) return 'master_key';
  if (isUnavailable(error)) return 'outage';
  return error instanceof NotSent && error.cause === undefined && shutdown.hasBegun ? 'stopping' : null;
}
