import type { EventsStore } from '#database';
import type { EventStream } from '#messaging';
import { instruments } from '#telemetry';

const BATCH = 1_000;

/** To the topic of events. Returns whether there may be more. */
export function toBroker(events: EventsStore, stream: EventStream) {
  return async (): Promise<boolean> => {
    const batch = await events.next(BATCH);
    if (batch.length === 0) return false;
    await stream.publish(batch);
    await events.published(batch);
    instruments().events.add(batch.length, { to: 'broker' });
    return batch.length === BATCH;
  };
}
