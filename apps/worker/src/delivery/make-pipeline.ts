import type { Config } from '#config';
import {
  AccountPacesStore,
  Batcher,
  type Database,
  type DeliveriesStore,
  type DueDeliveriesStore,
  type ReceiptsStore,
  RecentSendsStore,
  type SharedContentsStore,
  type TemplatesStore,
  type WebhookEndpointsStore,
} from '#database';
import type { ChannelId } from '#domain';
import type { ProviderDirectory } from '#providers';
import { type Limiter, PostgresLimiter, RedisLimiter } from '#rate-limit';
import type { Redis } from '#redis';
import type { Logger } from '#telemetry';
import type { TemplateRenderer } from '#templates';
import { ClaimStep } from './claim.step.js';
import { ConsentStep } from './consent.step.js';
import { LimitStep } from './limit.step.js';
import { LoadStep } from './load.step.js';
import type { OutcomeSpool } from './outcome-spool.js';
import { Pipeline } from './pipeline.js';
import { RecordStep } from './record.step.js';
import { RenderStep } from './render.step.js';
import { AttemptSend, type SendTimes } from './send/attempt-send.js';
import { EndpointHealth } from './send/endpoint-health.js';
import { SendStep } from './send/send.step.js';
import { UnsubscribeLinks } from './unsubscribe-links.js';

export interface PipelineParts {
  config: Config;
  logger: Logger;
  redis: Redis | undefined;
  database: Database;
  deliveries: DeliveriesStore;
  due: DueDeliveriesStore;
  receipts: ReceiptsStore;
  sharedContents: SharedContentsStore;
  templates: TemplatesStore;
  directory: ProviderDirectory;
  endpoints: WebhookEndpointsStore;
  renderer: TemplateRenderer;
  spool: OutcomeSpool;
  /** Signs what stands in unsubscribe links. */
  unsubscribeKey: Buffer;
  stopping: AbortSignal;
}

/** A third of the lease to send, a third to record: see LEASE_SECONDS. */
export function sendTimes({ leaseSeconds }: Pick<Config, 'leaseSeconds'>): SendTimes {
  const third = (leaseSeconds * 1_000) / 3;
  return { deadlineMs: third, marginMs: third };
}

/** The seven steps, each with what it needs and nothing else. */
export function makePipeline(parts: PipelineParts): Pipeline {
  const { config, deliveries, due } = parts;
  return new Pipeline({
    claim: new ClaimStep(),
    load: new LoadStep(deliveries, parts.templates, parts.sharedContents, parts.receipts),
    consent: new ConsentStep(),
    limit: new LimitStep(makeLimiter(parts)),
    render: new RenderStep(parts.renderer, new UnsubscribeLinks(config.publicUrl, parts.unsubscribeKey)),
    send: new SendStep(
      parts.directory,
      new AccountPacesStore(parts.database),
      new AttemptSend(
        due,
        new EndpointHealth(parts.endpoints, parts.directory),
        parts.directory,
        sendTimes(config),
        parts.stopping,
      ),
    ),
    record: new RecordStep(deliveries, parts.receipts, parts.spool, parts.stopping, parts.logger),
  });
}

function makeLimiter({ config, logger, redis, database }: PipelineParts): Limiter {
  if (!redis) {
    return new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 1, maxBatch: 500, maxQueue: 100_000 }),
    );
  }
  const recent = new RecentSendsStore(database, config.leaseSeconds);
  return new RedisLimiter(
    redis,
    ({ tenantId, key, limit, deliveryId }, rememberedMs) => {
      const colon = key.indexOf(':');
      return recent.find({
        tenantId,
        channel: key.slice(0, colon) as ChannelId,
        recipientId: key.slice(colon + 1),
        windowSeconds: limit.windowSeconds,
        deliveryId,
        claimedBeforeMs: rememberedMs,
      });
    },
    (error) => logger.warn({ err: error }, 'the limiter did not answer; what has a limit is held'),
  );
}
