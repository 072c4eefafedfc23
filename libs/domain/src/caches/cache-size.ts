/**
 * Options of an `LRUCache` that holds at most so many entries. With its option `max`, lru-cache allocates the room for
 * all of them at once, which is 3 MB for 100,000.
 */
export function atMost(entries: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: () => 1 };
}
