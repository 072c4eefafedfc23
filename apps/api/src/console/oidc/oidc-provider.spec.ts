import { expect, it } from 'vitest';
import { valuesOf } from './oidc-provider.js';

it('reads the values of a claim: a text or a list, by its name or by a path', () => {
  const claims = {
    roles: ['a', 'b', 7],
    role: 'c',
    realm_access: { roles: ['d'], 'x.y': 'no' },
    'https://example.com/roles': ['e'],
  };
  const names = ['roles', 'role', 'realm_access.roles', 'https://example.com/roles'];
  expect(names.map((name) => valuesOf(claims, name))).toEqual([['a', 'b'], ['c'], ['d'], ['e']]);
  for (const name of [
    'none',
    'role.length',
    'realm_access',
    'realm_access.none.roles',
    '__proto__',
    'constructor.name',
  ])
    expect([name, valuesOf(claims, name)]).toEqual([name, []]);
});
