import { type Notifier, PostgresBus } from './postgres-bus.js';
import type { RealtimeBus } from './realtime-bus.js';
import { type PubSub, RedisBus } from './redis-bus.js';

/** Uses Redis if there is a connection, else PostgreSQL. `onFault` is called when publishing hints failed. */
export function makeBus(redis: PubSub | undefined, notifier: Notifier, onFault: (error: Error) => void): RealtimeBus {
  return redis ? new RedisBus(redis, onFault) : new PostgresBus(notifier, onFault);
}
