import { createRequire } from 'node:module';

interface RequestQueue {
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
}

let isFixed = false;

/**
 * kafkajs 2.2.4 sets a timer with a negative delay after every response, even without pending requests: a thousand
 * wake-ups per second and connection, and a warning of Node (github.com/tulios/kafkajs/issues/1751). Only pending
 * requests need the timer. Applies to all clients of the process.
 */
export function fixTimer(): void {
  if (isFixed) return;
  isFixed = true;
  const require = createRequire(import.meta.url);
  const { prototype } = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
  const { scheduleCheckPendingRequests } = prototype;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
  };
}
