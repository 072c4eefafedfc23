// Injection tokens for everything that is not a class.

export const CONFIG = Symbol('Config');
export const LOGGER = Symbol('Logger');
/** Undefined without REDIS_URL. */
export const REDIS = Symbol('Redis');
/** Undefined unless sends are also taken from Kafka. */
export const KAFKA = Symbol('Kafka');
export const BUS = Symbol('RealtimeBus');
/** The HMAC key of the stored API key hashes. */
export const API_KEY_PEPPER = Symbol('API key pepper');
/** The key that signs recipient tokens. */
export const INBOX_TOKEN_KEY = Symbol('inbox token key');
/** The key that signs unsubscribe links. */
export const UNSUBSCRIBE_KEY = Symbol('unsubscribe key');
/** The request limit of API keys. */
export const REQUEST_ALLOWANCES = Symbol('RequestAllowances');
