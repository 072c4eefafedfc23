import { expect, it } from 'vitest';
import { CarillonError } from '#client';
import { failureOf, faultAt } from './failures';

it('a fault is shown at the field that it is about, or at the field around it with its place', () => {
  const faults = { '/name': 'is required', '/caps/0/limit': 'must be at least 1' };
  expect(['/name', '/caps', '/cap', '/caps/0'].map((pointer) => faultAt(faults, pointer))).toEqual([
    'is required',
    '0/limit must be at least 1',
    undefined,
    'limit must be at least 1',
  ]);
});

it.each([
  [
    'one error is its detail, which is shown once',
    '/name: is required',
    [{ pointer: '/name', code: 'required', message: 'is required' }],
    'name: is required',
  ],
  [
    'several errors follow their number',
    'The request has 2 errors.',
    [
      { pointer: '/name', code: 'required', message: 'is required' },
      { pointer: '?limit', code: 'invalid', message: 'must be a number' },
    ],
    'The request has 2 errors. name: is required ?limit: must be a number',
  ],
  ['a problem without errors has only a detail', 'Not now.', [], 'Not now.'],
])('%s', (_, detail, errors, text) => {
  expect(failureOf(new CarillonError({ code: 'validation_failed', detail, errors, status: 422 })).text).toBe(text);
});
