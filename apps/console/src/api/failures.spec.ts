import { expect, it } from 'vitest';
import { faultAt } from './failures';

it('a fault is shown at the field that it is about, or at the field around it with its place', () => {
  const faults = { '/name': 'is required', '/caps/0/limit': 'must be at least 1' };
  expect(['/name', '/caps', '/cap', '/caps/0'].map((pointer) => faultAt(faults, pointer))).toEqual([
    'is required',
    '0/limit must be at least 1',
    undefined,
    'limit must be at least 1',
  ]);
});
