import { expect, it } from 'vitest';
import { FairQueue } from './fair-queue.ts';

const nobody = (): boolean => false;

function filled(...items: [tenantId: string, item: number][]): FairQueue<number> {
  const queue = new FairQueue<number>({ total: 100, perTenant: 10 });
  for (const [tenantId, item] of items) queue.push(tenantId, item);
  return queue;
}

function drain(queue: FairQueue<number>, isPutBack: (tenantId: string) => boolean = nobody): (number | undefined)[] {
  return Array.from({ length: queue.size }, () => queue.shift(isPutBack)?.item);
}

it('serves tenants in turn, and the items of each in order', () => {
  expect(drain(filled(['a', 1], ['a', 2], ['a', 3], ['b', 4], ['c', 5], ['b', 6]))).toEqual([1, 4, 5, 2, 6, 3]);
});

it('serves a deprioritized tenant only while no other waits', () => {
  const queue = filled(['slow', 1], ['slow', 2], ['b', 3], ['b', 4]);
  expect(drain(queue, (tenantId) => tenantId === 'slow')).toEqual([3, 4, 1, 2]);
});

it('rejects items beyond the limits of all tenants and of one', () => {
  const queue = new FairQueue<number>({ total: 3, perTenant: 2 });
  expect([queue.push('a', 1), queue.push('a', 2), queue.push('a', 3)]).toEqual([undefined, undefined, 3]);
  expect([queue.push('b', 4), queue.push('b', 5)]).toEqual([undefined, 5]);
  expect(queue.size).toBe(3);
});

it('evicts the newest item of a tenant with several for a tenant with none', () => {
  const queue = new FairQueue<number>({ total: 4, perTenant: 3 });
  for (const item of [1, 2, 3]) queue.push('a', item);
  queue.push('b', 4);
  expect([queue.push('c', 5), queue.push('d', 6), queue.push('e', 7)]).toEqual([3, 2, 7]);
  expect(drain(queue)).toEqual([1, 4, 5, 6]);
});

it('removes an item that stops waiting', () => {
  const queue = filled(['a', 1], ['a', 2], ['b', 3]);
  expect([queue.remove('a', 1), queue.remove('a', 1), queue.remove('b', 3)]).toEqual([true, false, true]);
  expect(drain(queue)).toEqual([2]);
});
