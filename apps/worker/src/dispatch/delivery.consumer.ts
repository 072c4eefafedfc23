import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { ClaimedDelivery } from '#database';
import { channelIds, laneName, type Outcome } from '#domain';
import { type DeliveryBatch, deliveriesPattern } from '#messaging';
import { instruments, type Logger, traceIdOf } from '#telemetry';
import { LockedAccounts } from '../delivery/locked-accounts.js';
import { Pipeline } from '../delivery/pipeline.js';
import { ReleaseClaim } from '../delivery/release-claim.js';
import { NotSent } from '../delivery/send/not-sent.js';
import { Shutdown } from '../shutdown.js';
import { LOGGER } from '../tokens.js';
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
    const ids = {
      tenant_id: delivery.tenantId,
      delivery_id: delivery.deliveryId,
      channel: delivery.channel,
      trace_id: traceIdOf(delivery.traceparent),
    };
    try {
      if (this.shutdown.hasBegun) throw new NotSent('the worker stops');
      const outcome = await this.pipeline.run(delivery);
      if ('attempt' in outcome && outcome.attempt) this.locked.unlock(delivery.tenantId, delivery.channel);
      const line = logLineOf(outcome);
      instruments().outcomes.add(1, { channel: delivery.channel, outcome: outcome.kind, reason: line.reason ?? '' });
      this.logger.info({ ...ids, ...line, duration_ms: Math.round(performance.now() - startedAt) }, 'delivery');
    } catch (error) {
      await this.releaseClaim.run(delivery, error);
    }
  }
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
