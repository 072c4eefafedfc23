import { TopicWriter, type TopicWriterOptions } from './topic-writer.js';

export interface OutgoingEvent {
  tenantId: string;
  id: string;
  type: string;
  recipientId: string | null;
  /** The id of the delivery, notification, item or other thing that changed. */
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

  /**
   * Resolves when all in-sync replicas have the events, in this order for each recipient. Throws when the brokers are
   * unavailable.
   */
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
 * CloudEvents 1.0 in JSON, concatenated around the data, which is JSON already. Needs no escaping: ids and types are
 * plain ASCII, and recipient ids are not part of it. `tenantid` is an extension attribute; their names allow only
 * lower-case letters and digits.
 */
function toCloudEvent({ tenantId, id, type, subject, data, createdAt }: OutgoingEvent): string {
  const attributes =
    `"specversion":"1.0","id":"${id}","source":"/tenants/${tenantId}","type":"${type}","subject":"${subject}",` +
    `"time":"${createdAt}","datacontenttype":"application/json","tenantid":"${tenantId}"`;
  return `{${attributes},"data":${data}}`;
}
