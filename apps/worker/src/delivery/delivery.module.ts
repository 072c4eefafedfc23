import { join } from 'node:path';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import type { Config } from '#config';
import {
  AccountPacesStore,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  PlatformKeys,
  QuotasStore,
  ReturnPlaces,
} from '#database';
import { ProviderDirectory } from '#providers';
import type { Limiter } from '#rate-limit';
import { deliveryTraceId, instruments, type Logger } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { CONFIG, LOGGER, REDIS } from '../tokens.js';
import { ClaimStep } from './claim.step.js';
import { ConsentStep } from './consent.step.js';
import { LoadContent } from './content/load-content.js';
import { makeRenderer } from './content/make-renderer.js';
import { CloseDigestStep } from './digest/close-digest.step.js';
import { ComposeDigest } from './digest/compose-digest.js';
import { DirectoryFactory } from './directory-factory.js';
import { Downgrade } from './downgrade.js';
import { LimitStep } from './limit.step.js';
import { LoadStep } from './load.step.js';
import { LockedAccounts } from './locked-accounts.js';
import { makeWorkerLimiter } from './make-worker-limiter.js';
import { OutcomeSpool } from './outcome-spool.js';
import { Pipeline, PipelineSteps } from './pipeline.js';
import { LIMITER, Places } from './places.js';
import { RecordStep } from './record.step.js';
import { ReleaseClaim } from './release-claim.js';
import { RenderStep } from './render.step.js';
import { AttemptSend } from './send/attempt-send.js';
import { EndpointHealth } from './send/endpoint-health.js';
import { SendStep } from './send/send.step.js';
import { UnsubscribeLinks } from './unsubscribe-links.js';

/** Runs one claimed delivery from its claim to its recorded outcome. */
@Module({
  providers: [
    Pipeline,
    PipelineSteps,
    ClaimStep,
    LoadStep,
    LoadContent,
    ConsentStep,
    CloseDigestStep,
    ComposeDigest,
    Downgrade,
    LimitStep,
    Places,
    RenderStep,
    SendStep,
    AttemptSend,
    EndpointHealth,
    RecordStep,
    ReleaseClaim,
    LockedAccounts,
    DirectoryFactory,
    {
      provide: ProviderDirectory,
      inject: [DirectoryFactory],
      useFactory: (factory: DirectoryFactory) => factory.create(),
    },
    { provide: TemplateRenderer, inject: [CONFIG], useFactory: makeRenderer },
    {
      provide: QuotasStore,
      inject: [Database],
      useFactory: (database: Database) =>
        new QuotasStore(database, ({ period, percent }) => instruments().quotaWarnings.add(1, { period, percent })),
    },
    { provide: LIMITER, inject: [CONFIG, REDIS, Database, LOGGER], useFactory: makeWorkerLimiter },
    {
      provide: ReturnPlaces,
      inject: [LIMITER, DeliveriesStore, DueDeliveriesStore, QuotasStore, LOGGER],
      useFactory: makeReturnPlaces,
    },
    {
      provide: AccountPacesStore,
      inject: [Database],
      useFactory: (database: Database) => new AccountPacesStore(database),
    },
    {
      provide: UnsubscribeLinks,
      inject: [CONFIG, PlatformKeys],
      useFactory: ({ publicUrl }: Config, keys: PlatformKeys) =>
        new UnsubscribeLinks(publicUrl, () => keys.unsubscribeKey),
    },
    {
      provide: OutcomeSpool,
      inject: [CONFIG, DeliveriesStore, LOGGER],
      useFactory: ({ home }: Config, deliveries: DeliveriesStore, logger: Logger) =>
        new OutcomeSpool(join(home, 'spool'), deliveries, logger),
    },
  ],
  exports: [Pipeline, ReleaseClaim, ReturnPlaces, LockedAccounts, OutcomeSpool, ProviderDirectory],
})
export class DeliveryModule implements OnApplicationShutdown {
  constructor(
    private readonly renderer: TemplateRenderer,
    private readonly directory: ProviderDirectory,
  ) {}

  /** Sends under way have ended by now: DispatchModule waits for them in `beforeApplicationShutdown`. */
  async onApplicationShutdown(): Promise<void> {
    await this.renderer.close();
    await this.directory.close();
  }
}

function makeReturnPlaces(
  limiter: Limiter,
  deliveries: DeliveriesStore,
  due: DueDeliveriesStore,
  quotas: QuotasStore,
  logger: Logger,
): ReturnPlaces {
  return new ReturnPlaces(limiter, deliveries, due, quotas, (error, { tenantId, deliveryId, traceparent }) =>
    logger.warn(
      {
        err: error,
        tenant_id: tenantId,
        delivery_id: deliveryId,
        trace_id: traceparent === undefined ? undefined : deliveryTraceId({ deliveryId, traceparent }),
      },
      'giving back the place of a delivery in its limits failed; it counts until its window ends',
    ),
  );
}
