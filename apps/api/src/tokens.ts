// Injection tokens for everything that is not a class.

export const CONFIG = Symbol('Config');
export const LOGGER = Symbol('Logger');
/** Undefined without REDIS_URL. */
export const REDIS = Symbol('Redis');
/** Undefined unless sends are also taken from Kafka. */
export const KAFKA = Symbol('Kafka');
export const BUS = Symbol('RealtimeBus');
/** The limits of recipients, which the workers take places in. */
export const LIMITER = Symbol('Limiter');
/** The request limits of API keys, and of recipients with recipient tokens. */
export const REQUEST_ALLOWANCES = Symbol('RequestAllowances');
