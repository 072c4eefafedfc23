export {
  type DeliveryBatch,
  type DeliveryTransport,
  deliveriesPattern,
  type LaneNumber,
  type Transported,
} from './delivery-transport.js';
export { DirectTransport } from './direct-transport.js';
export type { PoisonMessage } from './kafka/dead-letter-topic.js';
export { type KafkaOptions, makeKafka } from './kafka/kafka-client.js';
export { type Claimable, type ClaimTicket, KafkaTransport } from './kafka/kafka-transport.js';
export { Topics } from './kafka/topics.js';
