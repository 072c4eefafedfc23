import { Inject, Injectable } from '@nestjs/common';
import type { ClaimedDelivery } from '#database';
import { type Outcome, StopPipeline } from '#domain';
import { instruments } from '#telemetry';
import { ClaimStep } from './claim.step.js';
import { ConsentStep } from './consent.step.js';
import { LimitStep } from './limit.step.js';
import { LoadStep } from './load.step.js';
import { RecordStep } from './record.step.js';
import { RenderStep } from './render.step.js';
import { SendStep } from './send/send.step.js';

@Injectable()
export class PipelineSteps {
  @Inject() readonly claim!: ClaimStep;
  @Inject() readonly load!: LoadStep;
  @Inject() readonly consent!: ConsentStep;
  @Inject() readonly limit!: LimitStep;
  @Inject() readonly render!: RenderStep;
  @Inject() readonly send!: SendStep;
  @Inject() readonly record!: RecordStep;
}

/**
 * The path of one delivery. A step ends it by throwing StopPipeline with the outcome. Any other error is an outage or
 * a bug and is not recorded: the consumer handles it.
 */
@Injectable()
export class Pipeline {
  constructor(private readonly steps: PipelineSteps) {}

  async run(delivery: ClaimedDelivery): Promise<Outcome> {
    let outcome: Outcome;
    try {
      const claimed = await timed('claim', this.steps.claim.run(delivery));
      const loaded = await timed('load', this.steps.load.run(claimed));
      const consented = await timed('consent', this.steps.consent.run(loaded));
      const limited = await timed('limit', this.steps.limit.run(consented));
      const rendered = await timed('render', this.steps.render.run(limited));
      outcome = await timed('send', this.steps.send.run(rendered));
    } catch (error) {
      if (!(error instanceof StopPipeline)) throw error;
      outcome = error.outcome;
    }
    await timed('record', this.steps.record.run(delivery, outcome));
    return outcome;
  }
}

async function timed<T>(step: keyof PipelineSteps, work: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work;
  } finally {
    instruments().steps.record((performance.now() - startedAt) / 1_000, { step });
  }
}
