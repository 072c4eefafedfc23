import { TopicWriter, type TopicWriterOptions } from './topic-writer.js';

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
  private readonly writer: TopicWriter;

  constructor(options: TopicWriterOptions) {
    this.writer = new TopicWriter(options);
  }

  /** Resolves when all replicas in sync have them, in this order for each recipient. Throws when the brokers are away. */
  async publish(events: readonly OutgoingEvent[]): Promise<void> {
    await this.writer.connect();
    await this.writer.send(
      this.writer.topics.events,
      events.map((event) => ({
        key: `${event.tenantId}:${event.recipientId ?? event.subject}`,
        value: toCloudEvent(event),
        headers: { 'content-type': 'application/cloudevents+json; charset=utf-8' },
      })),
    );
  }

  async close(): Promise<void> {
    await this.writer.close();
  }
}

/**
 * CloudEvents 1.0 in JSON, put together as text around the data: ids and types have nothing to escape, recipients do not stand
 * here. `tenantid` is an extension attribute, whose names are lower-case letters and digits only.
 */
function toCloudEvent({ tenantId, id, type, subject, data, createdAt }: OutgoingEvent): string {
  return `{"specversion":"1.0","id":"${id}","source":"/tenants/${tenantId}","type":"${type}","subject":"${subject}","time":"${createdAt}","datacontenttype":"application/json","tenantid":"${tenantId}","data":${data}}`;
}
