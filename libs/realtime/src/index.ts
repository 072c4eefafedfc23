export { makeBus } from './make-bus.js';
export { type Notifier, PostgresBus } from './postgres-bus.js';
export type { Hint, ItemChange, RealtimeBus } from './realtime-bus.js';
export { type PubSub, RedisBus } from './redis-bus.js';
