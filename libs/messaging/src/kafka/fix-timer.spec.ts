import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { fixTimer } from './fix-timer.js';

it('a queue of kafkajs sets its timer only for pending requests', () => {
  fixTimer();
  const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue');
  const timerWith = (pending: unknown[]): unknown => {
    const queue = Object.assign(Object.create(prototype), { pending, throttledUntil: -1 });
    queue.scheduleCheckPendingRequests();
    clearTimeout(queue.throttleCheckTimeoutId);
    return queue.throttleCheckTimeoutId;
  };
  expect(timerWith([])).toBeUndefined();
  expect(timerWith([{}])).toBeDefined();
});
