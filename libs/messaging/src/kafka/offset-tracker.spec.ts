import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OffsetTracker } from './offset-tracker.js';

describe('the tracked offsets', () => {
  it('are committable up to the first unfinished one, in whatever order they are finished', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(
          Array.from({ length: 40 }, (_, offset) => offset),
          { minLength: 0 },
        ),
        fc.integer({ min: 1, max: 7 }),
        (order, every) => {
          const tracker = new OffsetTracker();
          for (let offset = 0; offset < 40; offset += 1) tracker.begin(String(offset));
          const done = new Set<number>();
          let committed = 0;
          order.forEach((offset, index) => {
            tracker.done(String(offset));
            tracker.done(String(offset));
            done.add(offset);
            let lowest = 0;
            while (done.has(lowest)) lowest += 1;
            const found = tracker.committable();
            expect(found === null ? committed : Number(found.offset)).toBe(lowest);
            if (found && index % every === 0) {
              tracker.committed(found);
              committed = lowest;
            }
            expect(tracker.doneCount).toBe(done.size - committed);
          });
        },
      ),
    );
  });
});
