import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { PostgresListener } from '#database';
import type { Logger } from '#telemetry';
import { LOGGER } from '../tokens.js';
import { BrokerPublisher } from './broker-publisher.js';
import { Relay } from './relay.js';
import { WebhookFanOut } from './webhook-fan-out.js';

/** Runs the relays of this worker: events to webhook endpoints, and to Kafka where it is configured. */
@Injectable()
export class Relays implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly relays: Relay[];

  constructor(
    fanOut: WebhookFanOut,
    private readonly broker: BrokerPublisher,
    listener: PostgresListener,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.relays = [new Relay({ name: 'carillon_webhooks', publishBatch: () => fanOut.turn() }, listener, logger)];
    if (broker.isEnabled) {
      const publishBatch = (): Promise<boolean> => broker.publishBatch();
      this.relays.push(new Relay({ name: 'carillon_event_relay', publishBatch }, listener, logger));
    }
  }

  onApplicationBootstrap(): void {
    for (const relay of this.relays) relay.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.relays.map((relay) => relay.stop()));
    await this.broker.close();
  }
}
