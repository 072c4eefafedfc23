import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { ClaimedDelivery } from '#database';
import { channelIds, laneName, type Outcome } from '#domain';
import { type DeliveryBatch, deliveriesPattern } from '#messaging';
import { beginTrace, type DeliveryTrace, deliveryFields, type Logger, spanSink } from '#telemetry';
import { LockedAccounts } from '../delivery/locked-accounts.js';
import { Pipeline } from '../delivery/pipeline.js';
import { ReleaseClaim } from '../delivery/release-claim.js';
import { NotSent } from '../delivery/send/not-sent.js';
import { Shutdown } from '../shutdown.js';
import { LOGGER } from '../tokens.js';
import { countOutcome } from './count-outcome.js';
import { Dispatcher } from './dispatcher.js';

/** The consumer of all channels: runs each delivery of a batch through the pipeline and logs one line for it. */
@Controller()
export class DeliveryConsumer {
  constructor(
    private readonly pipeline: Pipeline,
    private readonly releaseClaim: ReleaseClaim,
    private readonly locked: LockedAccounts,
    private readonly dispatcher: Dispatcher,
    private readonly shutdown: Shutdown,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @MessagePattern(channelIds.map(deliveriesPattern))
  async consume(@Payload() batch: DeliveryBatch<ClaimedDelivery>): Promise<void> {
    await Promise.all(
      batch.deliveries.map(async (delivery) => {
        await this.run(delivery);
        batch.done(delivery);
        // The next delivery of the ordering key is due now, most likely on the same lane.
        if (delivery.ordered) this.dispatcher.wake([laneName(delivery.channel, delivery.lane)]);
      }),
    );
  }

  private async run(delivery: ClaimedDelivery): Promise<void> {
    const startedAt = performance.now();
    const trace = beginTrace(delivery);
    try {
      if (this.shutdown.hasBegun) throw new NotSent('the worker stops');
      const outcome = await this.pipeline.run(delivery);
      if ('attempt' in outcome && outcome.attempt) this.locked.unlock(delivery.tenantId, delivery.channel);
      const line = logLineOf(outcome);
      countOutcome(delivery, outcome);
      const durationMs = Math.round(performance.now() - startedAt);
      this.logger.info({ ...deliveryFields(delivery), ...line, duration_ms: durationMs }, 'delivery');
      endTrace(trace, line, isFailure(outcome) ? (line.code ?? line.reason ?? outcome.kind) : undefined);
    } catch (error) {
      endTrace(trace, { outcome: 'error' }, this.shutdown.hasBegun ? undefined : (error as Error).name);
      await this.releaseClaim.run(delivery, error);
    }
  }
}

function endTrace(trace: DeliveryTrace | undefined, line: LogLine | { outcome: 'error' }, error?: string): void {
  const sink = spanSink();
  if (!trace || !sink) return;
  const attributes = Object.fromEntries(Object.entries(line).map(([name, value]) => [`carillon.${name}`, value]));
  trace.end(sink, { attributes, error });
}

/** An attempt that the provider did not accept, or an end without one. */
function isFailure(outcome: Outcome): boolean {
  if ('attempt' in outcome && outcome.attempt && outcome.attempt.outcome !== 'sent') return true;
  return outcome.kind === 'failed' || outcome.kind === 'unknown';
}

interface LogLine {
  outcome: Outcome['kind'];
  reason?: string;
  code?: string | null;
  provider?: string;
  provider_account_id?: string | null;
  provider_message_id?: string | null;
  attempt?: number;
  provider_ms?: number;
  delay_seconds?: number;
}

/** Codes, ids and durations; never content or addresses. */
function logLineOf(outcome: Outcome): LogLine {
  const line: LogLine = { outcome: outcome.kind };
  if ('reason' in outcome) line.reason = outcome.reason;
  if ('delaySeconds' in outcome) line.delay_seconds = Math.round(outcome.delaySeconds * 1_000) / 1_000;
  if ('code' in outcome) line.code = outcome.code;
  if ('attempt' in outcome && outcome.attempt) {
    const { attempt } = outcome;
    line.provider = attempt.provider;
    line.provider_account_id = attempt.providerAccountId;
    line.provider_message_id = attempt.providerMessageId;
    line.attempt = attempt.number;
    line.provider_ms = attempt.durationMs;
    line.code = attempt.code;
  }
  return line;
}
