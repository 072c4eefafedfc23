import { Module } from '@nestjs/common';
import {
  AcceptStore,
  Database,
  DeadLettersStore,
  DeliveriesStore,
  DueDeliveriesStore,
  PostgresListener,
  QuotasStore,
  ReturnPlaces,
} from '#database';
import type { Limiter } from '#rate-limit';
import type { Logger } from '#telemetry';
import { TemplatesModule } from '../templates/templates.module.js';
import { LIMITER, LOGGER } from '../tokens.js';
import { AcceptBulk } from './accept-bulk.js';
import { AcceptNotification } from './accept-notification.js';
import { AcceptTopicSend } from './accept-topic-send.js';
import { AcceptedNotificationsController } from './accepted-notifications.controller.js';
import { CheckSend } from './check-send.js';
import { DeliveriesController } from './deliveries.controller.js';
import { DueAnnouncer } from './due-announcer.js';
import { ExplainController } from './explain/explain.controller.js';
import { ExplainDelivery } from './explain/explain-delivery.js';
import { ExplainSend } from './explain/explain-send.js';
import { ReadPlannedLimits } from './explain/planned-limits.js';
import { FindProviderOrder } from './explain/provider-order.js';
import { RenderPlanned } from './explain/render-planned.js';
import { LocalTimes } from './local-times.js';
import { NotificationsController } from './notifications.controller.js';
import { TopicSendsController } from './topic-sends.controller.js';

/** Accepts sends and shows what became of them. */
@Module({
  imports: [TemplatesModule],
  controllers: [
    NotificationsController,
    AcceptedNotificationsController,
    TopicSendsController,
    DeliveriesController,
    ExplainController,
  ],
  providers: [
    AcceptNotification,
    AcceptTopicSend,
    AcceptBulk,
    CheckSend,
    ExplainSend,
    ExplainDelivery,
    RenderPlanned,
    FindProviderOrder,
    ReadPlannedLimits,
    LocalTimes,
    {
      provide: ReturnPlaces,
      inject: [LIMITER, DeliveriesStore, DueDeliveriesStore, QuotasStore, LOGGER],
      useFactory: makeReturnPlaces,
    },
    // Only reads: the workers record.
    {
      provide: DeliveriesStore,
      inject: [Database],
      useFactory: (database: Database) => new DeliveriesStore(database, () => undefined),
    },
    {
      provide: DueAnnouncer,
      inject: [PostgresListener, LOGGER],
      useFactory: (listener: PostgresListener, logger: Logger) =>
        new DueAnnouncer(listener, (error) =>
          logger.debug({ err: error }, 'waking the workers failed; their next poll finds the deliveries'),
        ),
    },
    // These stores wake the workers after their commit.
    {
      provide: AcceptStore,
      inject: [Database, DueAnnouncer],
      useFactory: (database: Database, announcer: DueAnnouncer) =>
        new AcceptStore(database, (lanes) => announcer.announce(lanes)),
    },
    {
      provide: DeadLettersStore,
      inject: [Database, DueAnnouncer],
      useFactory: (database: Database, announcer: DueAnnouncer) =>
        new DeadLettersStore(database, (lanes) => announcer.announce(lanes)),
    },
  ],
  exports: [AcceptNotification, AcceptStore, CheckSend, DeadLettersStore, LocalTimes],
})
export class NotificationsModule {}

function makeReturnPlaces(
  limiter: Limiter,
  deliveries: DeliveriesStore,
  due: DueDeliveriesStore,
  quotas: QuotasStore,
  logger: Logger,
): ReturnPlaces {
  return new ReturnPlaces(limiter, deliveries, due, quotas, (error, { tenantId, deliveryId }) =>
    logger.warn(
      { err: error, tenant_id: tenantId, delivery_id: deliveryId },
      'giving back the place of a cancelled delivery failed; it counts until its window ends',
    ),
  );
}
