/** Injection tokens for what is not a class of ours. */
export const BUS = Symbol('RealtimeBus');
/** The key that API keys are hashed with. */
export const PEPPER = Symbol('ApiKeyPepper');
export const REDIS = Symbol('Redis');
export const UNSUBSCRIBE_KEY = Symbol('unsubscribe key');
