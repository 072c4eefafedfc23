import type { Config } from '#config';
import { Batcher, type Database, type DeliveriesStore, type DueDeliveriesStore, type TemplatesStore } from '#database';
import type { ProviderDirectory } from '#providers';
import { PostgresLimiter } from '#rate-limit';
import type { Logger } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { ClaimStep } from './claim.step.js';
import { ConsentStep } from './consent.step.js';
import { LimitStep } from './limit.step.js';
import { LoadStep } from './load.step.js';
import type { OutcomeSpool } from './outcome-spool.js';
import { Pipeline } from './pipeline.js';
import { RecordStep } from './record.step.js';
import { RenderStep } from './render.step.js';
import { SendStep } from './send.step.js';

export interface PipelineParts {
  config: Config;
  logger: Logger;
  database: Database;
  deliveries: DeliveriesStore;
  due: DueDeliveriesStore;
  templates: TemplatesStore;
  directory: ProviderDirectory;
  spool: OutcomeSpool;
}

/** The seven steps, each with what it needs and nothing else. */
export function makePipeline(parts: PipelineParts): Pipeline {
  const { config, deliveries, due } = parts;
  const limiter = new PostgresLimiter(
    parts.database.platform,
    (flush) => new Batcher({ flush, slots: 1, maxBatch: 500, maxQueue: 100_000 }),
  );
  // A third of the lease to send, a third to record: see LEASE_SECONDS.
  const third = (config.leaseSeconds * 1_000) / 3;
  return new Pipeline({
    claim: new ClaimStep(),
    load: new LoadStep(deliveries, parts.templates),
    consent: new ConsentStep(),
    limit: new LimitStep(limiter),
    render: new RenderStep(new TemplateRenderer()),
    send: new SendStep(due, parts.directory, { deadlineMs: third, marginMs: third }),
    record: new RecordStep(deliveries, parts.spool, parts.logger),
  });
}
