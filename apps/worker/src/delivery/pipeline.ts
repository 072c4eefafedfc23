import { Inject, Injectable } from '@nestjs/common';
import type { ClaimedDelivery } from '#database';
import { type Outcome, StopPipeline } from '#domain';
import { type DeliveryTrace, instruments, traceOf } from '#telemetry';
import { ClaimStep } from './claim.step.js';
import { ConsentStep } from './consent.step.js';
import { CloseDigestStep } from './digest/close-digest.step.js';
import { LimitStep } from './limit.step.js';
import { LoadStep } from './load.step.js';
import { Places, type Run } from './places.js';
import { RecordStep } from './record.step.js';
import { RenderStep } from './render.step.js';
import { SendStep } from './send/send.step.js';

@Injectable()
export class PipelineSteps {
  @Inject() readonly claim!: ClaimStep;
  @Inject() readonly load!: LoadStep;
  @Inject() readonly consent!: ConsentStep;
  @Inject() readonly digest!: CloseDigestStep;
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
  constructor(
    private readonly steps: PipelineSteps,
    private readonly places: Places,
  ) {}

  async run(delivery: ClaimedDelivery): Promise<Outcome> {
    const run: Run = { delivery, startedAt: new Date(), context: undefined, isLimited: false };
    const trace = traceOf(delivery);
    let outcome: Outcome;
    try {
      const claimed = await timed('claim', this.steps.claim.run(delivery), trace);
      const loaded = await timed('load', this.steps.load.run(claimed), trace);
      run.context = loaded.context;
      const consented = await timed('consent', this.steps.consent.run(loaded), trace);
      const digested = await timed('digest', this.steps.digest.run(consented), trace);
      const limited = await timed('limit', this.steps.limit.run(digested), trace);
      run.isLimited = true;
      const rendered = await timed('render', this.steps.render.run(limited), trace);
      outcome = await timed('send', this.steps.send.run(rendered), trace);
    } catch (error) {
      if (!(error instanceof StopPipeline)) {
        await this.places.withoutRecord(run);
        throw error;
      }
      outcome = error.outcome;
    }
    const isRecorded = await timed('record', this.steps.record.run(delivery, outcome), trace);
    if (isRecorded) await this.places.afterRecord(run, outcome);
    else if (!('attempt' in outcome && outcome.attempt)) await this.places.withoutRecord(run);
    return outcome;
  }
}

async function timed<T>(step: keyof PipelineSteps, work: Promise<T>, trace: DeliveryTrace | undefined): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work;
  } finally {
    instruments().steps.record((performance.now() - startedAt) / 1_000, { step });
    // The span of the claim includes this step, which only compares numbers.
    if (step !== 'claim') trace?.note(step, startedAt, {});
  }
}
