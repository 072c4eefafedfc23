import { expect, it } from 'vitest';
import { remainingCapacity } from './claim-capacity.js';

const counts = (byTenant: Record<string, number>): Map<string, number> => new Map(Object.entries(byTenant));
const limitedTo = (total: number, available: number) => new Map([['t', { total, available }]]);

it('limits only tenants whose accounts are limited', () => {
  expect(remainingCapacity({ inFlight: new Map(), limited: new Map(), concurrency: 10 })).toEqual(new Map());
  expect(remainingCapacity({ inFlight: new Map(), limited: limitedTo(8, 8), concurrency: 10 })).toEqual(
    counts({ t: 8 }),
  );
});

it('subtracts deliveries that are in flight and have not reached their account', () => {
  const input = { limited: limitedTo(8, 8), concurrency: 100 };
  expect(remainingCapacity({ ...input, inFlight: counts({ t: 3 }) }).get('t')).toBe(5);
  expect(remainingCapacity({ ...input, inFlight: counts({ t: 20 }) }).get('t')).toBe(0);
  expect(remainingCapacity({ inFlight: counts({ t: 3 }), limited: limitedTo(8, 4), concurrency: 100 }).get('t')).toBe(
    4,
  );
});

it('claims nothing while less than a quarter of the capacity remains', () => {
  expect(remainingCapacity({ inFlight: new Map(), limited: limitedTo(8, 2), concurrency: 10 }).get('t')).toBe(2);
  expect(remainingCapacity({ inFlight: new Map(), limited: limitedTo(8, 1), concurrency: 10 }).get('t')).toBe(0);
  expect(remainingCapacity({ inFlight: new Map(), limited: limitedTo(0, 0), concurrency: 10 }).get('t')).toBe(0);
});

it('gives a tenant half of the concurrency while another tenant has work, and all of it otherwise', () => {
  const input = { limited: new Map(), concurrency: 10 };
  expect(remainingCapacity({ ...input, inFlight: counts({ t: 10 }) })).toEqual(new Map());
  expect(remainingCapacity({ ...input, inFlight: counts({ t: 5, other: 1 }) })).toEqual(counts({ t: 0 }));
  expect(remainingCapacity({ ...input, inFlight: counts({ t: 4, other: 4 }) })).toEqual(new Map());
  expect(remainingCapacity({ inFlight: counts({ t: 1, other: 1 }), limited: new Map(), concurrency: 1 })).toEqual(
    counts({ t: 0, other: 0 }),
  );
});
