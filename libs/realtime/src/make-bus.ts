import { type Notifier, PostgresBus } from './postgres-bus.js';
import type { RealtimeBus } from './realtime-bus.js';
import { type PubSub, RedisBus } from './redis-bus.js';

/** The bus of this deployment: over Redis where there is one, else over PostgreSQL. `onFault` is told of hints that were lost. */
export function makeBus(redis: PubSub | undefined, notifier: Notifier, onFault: (error: Error) => void): RealtimeBus {
  return redis ? new RedisBus(redis, onFault) : new PostgresBus(notifier, onFault);
}
