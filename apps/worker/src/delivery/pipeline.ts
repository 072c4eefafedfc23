import type { ClaimedDelivery } from '#database';
import { type Outcome, StopPipeline } from '#domain';
import { instruments } from '#telemetry';
import type { ClaimStep } from './claim.step.js';
import type { ConsentStep } from './consent.step.js';
import type { LimitStep } from './limit.step.js';
import type { LoadStep } from './load.step.js';
import type { RecordStep } from './record.step.js';
import type { RenderStep } from './render.step.js';
import type { SendStep } from './send/send.step.js';

export interface Steps {
  claim: ClaimStep;
  load: LoadStep;
  consent: ConsentStep;
  limit: LimitStep;
  render: RenderStep;
  send: SendStep;
  record: RecordStep;
}

/** The path of one delivery. A step that stops it throws StopPipeline with the outcome; anything else that flies is an outage or a bug. */
export class Pipeline {
  constructor(private readonly steps: Steps) {}

  async run(delivery: ClaimedDelivery): Promise<Outcome> {
    let outcome: Outcome;
    try {
      const claimed = await timed('claim', this.steps.claim.run(delivery));
      const loaded = await timed('load', this.steps.load.run(claimed));
      const consented = await timed('consent', this.steps.consent.run(loaded));
      const limited = await timed('limit', this.steps.limit.run(consented));
      const rendered = await timed('render', this.steps.render.run(limited));
      outcome = await timed('send', this.steps.send.run(rendered));
    } catch (halt) {
      if (!(halt instanceof StopPipeline)) throw halt;
      outcome = halt.outcome;
    }
    await timed('record', this.steps.record.run(delivery, outcome));
    return outcome;
  }
}

async function timed<T>(step: keyof Steps, work: Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work;
  } finally {
    instruments().steps.record((performance.now() - startedAt) / 1_000, { step });
  }
}
