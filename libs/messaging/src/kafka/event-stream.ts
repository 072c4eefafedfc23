import { type Admin, type Kafka, makeProducer, type Producer, ZSTD } from './kafka-client.js';
import { Topics } from './topics.js';

/** One event on its way out. */
export interface OutgoingEvent {
  tenantId: string;
  id: string;
  type: string;
  recipientId: string | null;
  /** The id of what it happened to. */
  subject: string;
  /** JSON text. */
  data: string;
  /** RFC 3339. */
  createdAt: string;
}

/** Publishes events as CloudEvents 1.0 in structured mode (Kafka protocol binding), keyed by tenant and recipient. */
export class EventStream {
  private readonly topics: Topics;
  private readonly producer: Producer;
  private readonly admin: Admin;
  private connected: Promise<void> | undefined;

  constructor(private readonly options: { kafka: Kafka; prefix: string; partitions: number }) {
    this.topics = new Topics(options.prefix);
    this.producer = makeProducer(options.kafka);
    this.admin = options.kafka.admin();
  }

  /** Resolves when all replicas in sync have them, in this order for each recipient. Throws when the brokers are away. */
  async publish(events: readonly OutgoingEvent[]): Promise<void> {
    await this.connect();
    await this.producer.send({
      topic: this.topics.events,
      acks: -1,
      compression: ZSTD,
      messages: events.map((event) => ({
        key: `${event.tenantId}:${event.recipientId ?? event.subject}`,
        value: toCloudEvent(event),
        headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
      })),
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.producer.disconnect(), this.admin.disconnect()].map((end) => end.catch(() => undefined)));
  }

  private async connect(): Promise<void> {
    this.connected ??= (async () => {
      await this.admin.connect();
      await this.topics.ensure(this.admin, this.options.partitions);
      await this.producer.connect();
    })().catch((error: unknown) => {
      this.connected = undefined;
      throw error;
    });
    await this.connected;
  }
}

/**
 * CloudEvents 1.0 in JSON, put together as text around the data: ids and types have nothing to escape, recipients do not stand
 * here. `tenantid` is an extension attribute, whose names are lower-case letters and digits only.
 */
function toCloudEvent({ tenantId, id, type, subject, data, createdAt }: OutgoingEvent): string {
  return `{"specversion":"1.0","id":"${id}","source":"/tenants/${tenantId}","type":"${type}","subject":"${subject}","time":"${createdAt}","datacontenttype":"application/json","tenantid":"${tenantId}","data":${data}}`;
}
