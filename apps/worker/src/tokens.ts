/** Injection tokens of values that are not instances of our classes. */
export const CONFIG = Symbol('Config');
export const LOGGER = Symbol('Logger');
/** Null without REDIS_URL: limits and hints then go through PostgreSQL. */
export const REDIS = Symbol('Redis');
/** Null without KAFKA_BROKERS: deliveries then stay in this process, and events go only to webhook endpoints. */
export const KAFKA = Symbol('Kafka');
export const TRANSPORT = Symbol('DeliveryTransport');
export const BUS = Symbol('RealtimeBus');
