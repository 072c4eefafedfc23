export { asyncApiDocument, cloudEventOf } from './asyncapi.js';
export {
  type DeliveryBatch,
  type DeliveryReference,
  type DeliveryTransport,
  deliveriesPattern,
} from './delivery-transport.js';
export { DirectTransport } from './direct-transport.js';
export type { PoisonMessage } from './kafka/dead-letter-topic.js';
export type { ClaimTicket, DeliveryClaim } from './kafka/delivery-message.js';
export { EventStream, type OutgoingEvent } from './kafka/event-stream.js';
export { type Kafka, type KafkaOptions, makeKafka } from './kafka/kafka-client.js';
export { KafkaTransport } from './kafka/kafka-transport.js';
export { RequestStream, type StreamedRequest } from './kafka/request-stream.js';
export { Topics } from './kafka/topics.js';
