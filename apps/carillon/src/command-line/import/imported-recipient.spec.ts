import { expect, it } from 'vitest';
import { channelsOf, idOf, RowFault } from './imported-recipient.js';

it('takes names of every object for channels that it does not know', () => {
  const notImported: string[] = [];
  expect(channelsOf({ email: true, constructor: true, toString: false }, notImported)).toEqual({ email: true });
  expect(notImported).toEqual(['preference for constructor', 'preference for toString']);
});

it.each(['.', '..'])('refuses the id %s, which a path cannot have', (id) => {
  expect(() => idOf({ id }, 'id')).toThrow(RowFault);
});
