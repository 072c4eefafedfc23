import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { ClaimedDelivery } from '#database';
import { channelIds, type Outcome } from '#domain';
import { type DeliveryBatch, deliveriesPattern } from '#messaging';
import { instruments, type Logger } from '#telemetry';
import { Dispatcher } from '../dispatch/dispatcher.js';
import { LOGGER, STOPPING } from '../tokens.js';
import { GiveClaimBack, NotSent } from './give-claim-back.js';
import { LockedAccounts } from './locked-accounts.js';
import { Pipeline } from './pipeline.js';

/** The consumer of every channel: a batch in, each delivery through the pipeline on its own, one line in the log for each. */
@Controller()
export class DeliveryConsumer {
  constructor(
    @Inject(Pipeline) private readonly pipeline: Pipeline,
    @Inject(GiveClaimBack) private readonly giveClaimBack: GiveClaimBack,
    @Inject(LockedAccounts) private readonly locked: LockedAccounts,
    @Inject(Dispatcher) private readonly dispatcher: Dispatcher,
    @Inject(STOPPING) private readonly stopping: AbortController,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @MessagePattern(channelIds.map(deliveriesPattern))
  async consume(@Payload() batch: DeliveryBatch<ClaimedDelivery>): Promise<void> {
    await Promise.all(
      batch.deliveries.map(async (delivery) => {
        await this.one(delivery);
        batch.done(delivery);
        // The next one of its ordering key is due now, most likely in the same lane.
        if (delivery.ordered) this.dispatcher.wake([`${delivery.channel}:${delivery.lane}`]);
      }),
    );
  }

  private async one(delivery: ClaimedDelivery): Promise<void> {
    const startedAt = performance.now();
    const ids = {
      tenant_id: delivery.tenantId,
      delivery_id: delivery.deliveryId,
      channel: delivery.channel,
      trace_id: delivery.traceparent?.slice(3, 35),
    };
    try {
      if (this.stopping.signal.aborted) throw new NotSent('the worker stops');
      const outcome = await this.pipeline.run(delivery);
      if ('attempt' in outcome && outcome.attempt) this.locked.opened(delivery.tenantId, delivery.channel);
      const line = summaryOf(outcome);
      instruments().outcomes.add(1, { channel: delivery.channel, outcome: outcome.kind, reason: line.reason ?? '' });
      this.logger.info({ ...ids, ...line, duration_ms: Math.round(performance.now() - startedAt) }, 'delivery');
    } catch (error) {
      await this.giveClaimBack.run(delivery, error);
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

/** The wide line: codes and ids, never content or addresses. */
function summaryOf(outcome: Outcome): LogLine {
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
