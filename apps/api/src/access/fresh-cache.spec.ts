import { expect, it } from 'vitest';
import { PostgresBus } from '#realtime';
import { FreshCache } from './fresh-cache.js';

/** A cache of numbers, all of tenant `t`, over a table in memory. */
function make() {
  const table = new Map([['a', 1]]);
  const reads: string[][] = [];
  let gate = Promise.resolve();
  let deliver: (payload: string) => void = () => undefined;
  const bus = new PostgresBus(
    { on: (_channel, handler) => (deliver = handler), onReconnect: () => undefined, notify: async () => undefined },
    () => undefined,
  );
  const cache = new FreshCache<number>({
    read: async (keys) => {
      reads.push(keys);
      const found = new Map(keys.flatMap((key) => (table.has(key) ? [[key, table.get(key)!] as const] : [])));
      await gate;
      return found;
    },
    tenantOf: () => 't',
    max: 10,
    bus,
    onFault: (error) => {
      throw error;
    },
  });
  const hint = (): void => deliver(JSON.stringify([{ kind: 'stale', tenantId: 't', what: 'tenant' }]));
  /** Holds the results of reads back until the returned function is called. */
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    return resolve;
  };
  return { table, reads, cache, hint, hold };
}

it('answers without a read while a value is fresh, and reads unknown keys each time', async () => {
  const { cache, reads } = make();
  expect(await cache.get('a')).toBe(1);
  expect(cache.get('a')).toBe(1);
  expect([await cache.get('x'), await cache.get('x'), cache.has('x')]).toEqual([null, null, false]);
  expect(reads).toEqual([['a'], ['x'], ['x']]);
});

it('reads again at once after a hint, also when a read had begun before it', async () => {
  const { table, cache, hint, hold } = make();
  const release = hold();
  const early = cache.get('a');
  table.set('a', 2);
  hint();
  const late = cache.get('a');
  release();
  expect([await early, await late]).toEqual([1, 2]);
  expect(cache.get('a')).toBe(2);
  table.delete('a');
  hint();
  await expect.poll(() => cache.latest('a')).toBeNull();
  expect(cache.get('a')).toBeNull();
});
