import { expect, it } from 'vitest';
import { ChannelQueue } from './channel-queue.js';

const lanesOf = (queue: ChannelQueue): number[] => [...queue.pending].sort();

it('continues a round at the tenant where a claim ended, and starts another while tenants have more', () => {
  const queue = new ChannelQueue();
  queue.endClaim(2, true, 'tenant-9');
  expect([queue.rounds[2], lanesOf(queue)]).toEqual([{ after: 'tenant-9', more: true }, [2]]);
  queue.pending.clear();
  queue.endClaim(2, false, null);
  expect([queue.rounds[2].more, lanesOf(queue)]).toEqual([false, [2]]);
  queue.pending.clear();
  queue.endClaim(2, false, null);
  expect(lanesOf(queue)).toEqual([]);
});

it('resumes the lanes of a skipped tenant once it has capacity', () => {
  const queue = new ChannelQueue();
  queue.noteSkipped(
    1,
    new Map([
      ['full', 0],
      ['partly', 2],
    ]),
    [{ tenantId: 'partly' }],
  );
  queue.noteSkipped(3, new Map([['full', 0]]), []);
  queue.resumeSkipped(new Map([['full', 0]]));
  expect([queue.hasSkipped, lanesOf(queue)]).toEqual([true, []]);
  queue.resumeSkipped(new Map([['full', 1]]));
  expect([queue.hasSkipped, lanesOf(queue)]).toEqual([false, [1, 3]]);
});

it('skips a tenant whose whole capacity was claimed', () => {
  const queue = new ChannelQueue();
  queue.noteSkipped(2, new Map([['t', 2]]), [{ tenantId: 't' }, { tenantId: 't' }]);
  queue.resumeSkipped(new Map());
  expect(lanesOf(queue)).toEqual([2]);
});
