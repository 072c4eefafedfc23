import { expect, it } from 'vitest';
import { ReadCache } from './read-cache.js';

/** Room for two texts of ten characters. Each is read when the test says so. */
function slowCache() {
  const pending = new Map<string, (text: string | null) => void>();
  const reads: string[] = [];
  const cache = new ReadCache<string, string>({ maxSize: 20, sizeOf: (text) => text.length }, (name) => {
    reads.push(name);
    return new Promise((resolve) => pending.set(name, resolve));
  });
  return {
    reads,
    get: (name: string) => cache.get(name, name),
    finish: (name: string, text: string | null) => pending.get(name)!(text),
  };
}

const TEXT = 'x'.repeat(10);

/** Fills the cache, so that the entry of what is still being read is dropped. */
async function fill({ get, finish }: ReturnType<typeof slowCache>): Promise<void> {
  for (const name of ['a', 'b', 'c']) {
    const read = get(name);
    finish(name, TEXT);
    expect(await read).toBe(TEXT);
  }
}

it('gives what was read to all who wait, though the cache was full before it came', async () => {
  const cache = slowCache();
  const slow = Promise.allSettled([cache.get('slow'), cache.get('slow')]);
  await fill(cache);
  cache.finish('slow', TEXT);
  expect((await slow).map((ended) => (ended.status === 'fulfilled' ? ended.value : ended.reason))).toEqual([
    TEXT,
    TEXT,
  ]);
  expect(cache.reads).toEqual(['slow', 'a', 'b', 'c']);
});

it('says that there is nothing, though the cache was full before that was known', async () => {
  const cache = slowCache();
  const slow = cache.get('slow');
  await fill(cache);
  cache.finish('slow', null);
  expect(await slow).toBeNull();
});

it('does not keep that there is nothing', async () => {
  const cache = slowCache();
  for (const text of [null, TEXT]) {
    const read = cache.get('a');
    cache.finish('a', text);
    expect(await read).toBe(text);
  }
  expect(await cache.get('a')).toBe(TEXT);
  expect(cache.reads).toEqual(['a', 'a']);
});

it('gives what is larger than the cache', async () => {
  const cache = slowCache();
  const read = cache.get('large');
  cache.finish('large', TEXT.repeat(3));
  expect(await read).toHaveLength(30);
});
