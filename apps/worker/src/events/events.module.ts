import { Module } from '@nestjs/common';
import { AcceptStore, Database, EventsStore, WebhookEndpointsStore } from '#database';
import type { Logger } from '#telemetry';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { Dispatcher } from '../dispatch/dispatcher.js';
import { LOGGER } from '../tokens.js';
import { BrokerPublisher } from './broker-publisher.js';
import { Relays } from './relays.js';
import { WebhookFanOut } from './webhook-fan-out.js';

/** Publishes events: to the tenants' webhook endpoints as deliveries, and to Kafka. */
@Module({
  imports: [DispatchModule],
  providers: [
    Relays,
    BrokerPublisher,
    {
      provide: AcceptStore,
      inject: [Database, Dispatcher],
      useFactory: (database: Database, dispatcher: Dispatcher) =>
        new AcceptStore(database, (lanes) => dispatcher.wake(lanes)),
    },
    {
      provide: WebhookFanOut,
      inject: [EventsStore, WebhookEndpointsStore, AcceptStore, LOGGER],
      useFactory: (events: EventsStore, endpoints: WebhookEndpointsStore, accept: AcceptStore, logger: Logger) =>
        new WebhookFanOut({ events, endpoints, accept }, logger),
    },
  ],
})
export class EventsModule {}
