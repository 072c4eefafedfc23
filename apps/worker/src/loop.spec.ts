import { expect, it } from 'vitest';
import { Loop } from './loop.js';

const HOUR_MS = 3_600_000;

it('repeats its step at once, or after a rest, which a stop ends', async () => {
  const rests = [0, 5, HOUR_MS];
  let steps = 0;
  const { promise: isResting, resolve } = Promise.withResolvers<void>();
  const loop = new Loop(async () => {
    steps += 1;
    if (steps === rests.length) setImmediate(resolve);
    return rests[steps - 1]!;
  });
  loop.start();
  await isResting;
  await loop.stop();
  expect(steps).toBe(rests.length);
});

it('waits for the step under way when it is stopped, and does not rest after it', async () => {
  const { promise: step, resolve: endStep } = Promise.withResolvers<number>();
  const loop = new Loop(() => step);
  loop.start();
  let isStopped = false;
  const stopped = loop.stop().then(() => {
    isStopped = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isStopped).toBe(false);
  endStep(HOUR_MS);
  await stopped;
});
