/** Injection tokens for what is not a class of ours. */
export const LOGGER = Symbol('Logger');
export const TRANSPORT = Symbol('DeliveryTransport');
export const BUS = Symbol('RealtimeBus');
/** Those that carry events away. */
export const RELAYS = Symbol('Relays');
/** The AbortController whose signal says that the worker stops: nothing begins any more. */
export const STOPPING = Symbol('Stopping');
