import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import { EventsStore } from '#database';
import { EventStream, type Kafka } from '#messaging';
import { instruments } from '#telemetry';
import { CONFIG, KAFKA } from '../tokens.js';

const BATCH = 1_000;

/** Publishes events to their Kafka topic, where Kafka is configured. */
@Injectable()
export class BrokerPublisher {
  private readonly stream: EventStream | null;

  constructor(
    private readonly events: EventsStore,
    @Inject(KAFKA) kafka: Kafka | null,
    @Inject(CONFIG) config: Pick<Config, 'kafka'>,
  ) {
    this.stream = kafka && config.kafka ? new EventStream({ kafka, ...config.kafka }) : null;
    if (this.stream) instruments().gauge('eventsOldest', () => events.oldestSeconds());
  }

  get isEnabled(): boolean {
    return this.stream !== null;
  }

  /** Returns whether there may be more events. Throws when the brokers or the database are unavailable. */
  async publishBatch(): Promise<boolean> {
    if (!this.stream) return false;
    const batch = await this.events.next(BATCH);
    if (batch.length === 0) return false;
    await this.stream.publish(batch);
    await this.events.published(batch);
    instruments().events.add(batch.length, { to: 'broker' });
    return batch.length === BATCH;
  }

  async close(): Promise<void> {
    await this.stream?.close();
  }
}
