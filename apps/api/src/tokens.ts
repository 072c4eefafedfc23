/** Injection tokens for what is not a class of ours. */
export const CONFIG = Symbol('Config');
export const LOGGER = Symbol('Logger');
export const BUS = Symbol('RealtimeBus');
