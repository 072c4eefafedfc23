import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import { DueDeliveriesStore } from '#database';
import { type Attempt, failedBy, type Outcome, type ProviderError, StopPipeline } from '#domain';
import { BreakerOpen, ProviderDirectory, type Sender, secondsUntilAvailable } from '#providers';
import { instruments } from '#telemetry';
import { Shutdown } from '../../shutdown.js';
import { CONFIG } from '../../tokens.js';
import type { Addressed, Rendered } from '../pipeline-context.js';
import { attemptOf, callProvider } from './call-provider.js';
import { callThroughBreaker, type ProviderCall } from './call-through-breaker.js';
import { abortAfter } from './deadline.js';
import { EndpointHealth } from './endpoint-health.js';
import { holdForSlot } from './hold-send.js';
import { NotSent } from './not-sent.js';
import { outcomeOfAttempt } from './outcome-of-attempt.js';
import { type SendTimes, sendTimes } from './send-times.js';

/** A timer may fire this much before its time. */
const TIMER_ERROR_MS = 1;
/** A throttled account pauses for as long as its vendor asks, within these bounds. */
const SHORTEST_PAUSE_SECONDS = 1;
const LONGEST_PAUSE_SECONDS = 60;

/** Makes one attempt through one account: waits for a slot, commits the intent to send, calls the provider once. */
@Injectable()
export class AttemptSend {
  private readonly times: SendTimes;

  constructor(
    private readonly due: DueDeliveriesStore,
    private readonly endpointHealth: EndpointHealth,
    private readonly directory: ProviderDirectory,
    private readonly shutdown: Shutdown,
    @Inject(CONFIG) config: Pick<Config, 'leaseSeconds'>,
  ) {
    this.times = sendTimes(config);
  }

  /**
   * `hasNext`: whether another account is ready. Returns `try_next` when nothing was sent and another account should
   * be tried; throws NotSent when the worker is stopping or the intent cannot be committed, StopPipeline when the
   * claim is lost.
   */
  async run(addressed: Addressed, hasNext: boolean): Promise<Outcome | 'try_next'> {
    const slot = await this.acquireSlot(addressed, hasNext);
    if (slot === 'try_next') return 'try_next';
    const { sender } = addressed;
    if (slot === 'busy') {
      const outcome = holdForSlot(sender);
      this.noteLackOfCapacity(addressed);
      return outcome;
    }
    const acquiredAt = performance.now();
    try {
      const outcome = await this.send(addressed, hasNext);
      if (secondsUntilAvailable(sender) > 0) this.noteLackOfCapacity(addressed);
      return outcome;
    } catch (error) {
      // The breaker opened while this send waited for its slot.
      if (error instanceof BreakerOpen) return 'try_next';
      throw error;
    } finally {
      sender.limiter.release(performance.now() - acquiredAt);
    }
  }

  /**
   * Limits what the dispatcher claims for this tenant and channel to what its accounts can send. Not for an endpoint:
   * its state says nothing about the tenant's other endpoints.
   */
  noteLackOfCapacity({ delivery, context }: Rendered): void {
    if (!context.notification.endpointId) this.directory.tenantCapacity.track(delivery.tenantId, delivery.channel);
  }

  /**
   * Waits for a slot while the lease leaves time to send. The wait also ends when the account stops answering and
   * another one is ready. A delivery that waits has no committed intent, so a worker that dies here leaves no unknown
   * outcome.
   */
  private async acquireSlot(
    { delivery, sender }: Addressed,
    hasNext: boolean,
  ): Promise<'acquired' | 'busy' | 'try_next'> {
    const { hangs } = sender.breaker;
    const latestStart = delivery.leaseEndsAt - this.times.marginMs - this.times.deadlineMs;
    const isAcquired = await sender.limiter.acquire(() =>
      AbortSignal.any([
        abortAfter(latestStart - performance.now()),
        this.shutdown.signal,
        ...(hasNext ? [hangs.stalled] : []),
      ]),
    );
    if (isAcquired) return 'acquired';
    this.throwIfStopping();
    const isLate = performance.now() >= latestStart - TIMER_ERROR_MS;
    return hasNext && (hangs.isStalled || isLate) ? 'try_next' : 'busy';
  }

  private async send(addressed: Addressed, hasNext: boolean): Promise<Outcome> {
    const { sender } = addressed;
    const call = await callThroughBreaker(sender, () => this.callWithIntent(addressed));
    const attempt = toAttempt(call, sender);
    const { result, durationMs } = call;
    instruments().attempts.record(durationMs / 1_000, { provider: sender.provider, outcome: attempt.outcome });
    if (addressed.context.notification.endpointId && (await this.endpointHealth.note(sender, result)))
      return failedBy(attempt, 'misconfigured');
    if (result.refused?.kind === 'throttled' && sender.account)
      sender.pausedUntil = performance.now() + pauseMs(result.refused);
    return outcomeOfAttempt(addressed, attempt, result, hasNext);
  }

  private async callWithIntent(addressed: Addressed): Promise<ProviderCall> {
    const callsUntil = addressed.delivery.leaseEndsAt - this.times.marginMs;
    if (performance.now() >= callsUntil)
      throw new StopPipeline({ kind: 'claim_lost', detail: 'too little was left of the lease to send' });
    const attempt = await this.commitIntent(addressed);
    const startedAt = performance.now();
    const deadline = abortAfter(Math.min(this.times.deadlineMs, callsUntil - startedAt));
    const result = await callProvider(addressed, attempt, deadline);
    return { attempt, result, durationMs: Math.round(performance.now() - startedAt) };
  }

  /**
   * From this commit until the outcome is recorded, a crash leaves the outcome unknown. Returns the number of the
   * attempt.
   */
  private async commitIntent({ delivery, sender }: Addressed): Promise<number> {
    this.throwIfStopping();
    const { provider, account } = sender;
    const intent = { delivery, rateLimitConsumed: true, provider, accountId: account?.id ?? null };
    const number = await this.due.begin(intent).catch((cause: unknown) => {
      throw new NotSent('the intent could not be committed', { cause });
    });
    if (number !== null) return number;
    throw new StopPipeline({ kind: 'claim_lost', detail: 'the claim was lost or the delivery cancelled' });
  }

  private throwIfStopping(): void {
    if (this.shutdown.hasBegun) throw new NotSent('the worker stops');
  }
}

function toAttempt({ attempt: number, durationMs, result }: ProviderCall, { provider, account }: Sender): Attempt {
  return { ...attemptOf(result), number, provider, providerAccountId: account?.id ?? null, durationMs };
}

function pauseMs({ retryAfterSeconds }: ProviderError): number {
  return Math.min(LONGEST_PAUSE_SECONDS, Math.max(SHORTEST_PAUSE_SECONDS, retryAfterSeconds ?? 0)) * 1_000;
}
