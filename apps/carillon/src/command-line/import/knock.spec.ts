import { describe, expect, it } from 'vitest';
import { mapKnock } from './knock.js';

describe('a preference set', () => {
  const email = { channels: { email: false }, categories: {} };

  it.each([
    [{ user_id: 'ann', id: 'default', channel_types: { email: false } }, email, []],
    [{ __typename: 'PreferenceSet', user_id: 'ann', channel_types: { email: false } }, email, []],
    [
      { __typename: 'PreferenceSet', user_id: 'ann', id: 'tenant-1', channel_types: { email: false } },
      null,
      ['preference set tenant-1'],
    ],
    [{ user_id: 'ann', id: 'tenant-1', workflows: { late: false } }, null, ['preference set tenant-1']],
    [{ id: 'ann', preferences: { id: 'tenant-1', channel_types: {} } }, null, ['preference set tenant-1']],
    [
      { id: 'ann', preferences: [{ id: 'tenant-1', channel_types: {} }, { channel_types: { email: false } }] },
      email,
      ['preference set tenant-1'],
    ],
  ])('of a tenant is not the choice of the recipient: %j', (row, choices, notImported) => {
    expect(mapKnock(row, {})).toMatchObject({ id: 'ann', choices, notImported });
  });
});

describe('a user', () => {
  const own = { id: 'u1', user_id: 77 };

  it.each([
    { ...own, categories: ['vip'] },
    { ...own, categories: { vip: true }, email: 'u1@example.com' },
    { ...own, workflows: 3, __typename: 'User' },
    { ...own, channel_id: 'C1', name: 'Ann' },
  ])('may have fields with the names of other rows: %j', (row) => {
    const { id, profile, choices } = mapKnock(row, {});
    expect([id, profile, choices]).toMatchObject(['u1', { attributes: { user_id: 77 } }, null]);
  });
});

describe('a part of a preference set that Carillon does not have', () => {
  it.each([
    [{ commercial_subscribed: false, channels: { '8209': false } }, ['field channels', 'field commercial_subscribed']],
    [{ workflows: '{}' }, ['field workflows that is not an object or a list']],
    [{ categories: { a: 'false' } }, ['preference that is not true, false or an object']],
    [{ categories: { a: { channel_types: 'x' } } }, ['field channel_types that is not an object or a list']],
  ])('is counted: %j', (set, names) => {
    const inRow = mapKnock({ id: 'ann', preferences: { default: set } }, {});
    const inOwnRow = mapKnock({ __typename: 'PreferenceSet', user_id: 'ann', ...set }, {});
    for (const { notImported } of [inRow, inOwnRow]) expect(notImported.toSorted()).toEqual(names);
  });

  it('is counted if the set is no object', () => {
    const { notImported } = mapKnock({ id: 'ann', preferences: { default: 'off' } }, {});
    expect(notImported).toEqual(['field preferences.default that is not an object or a list']);
  });
});

describe('a device token', () => {
  it.each([
    [{ tokens: ['a', null, {}, 'a', ''] }, ['a'], 'device token that is not a text'],
    [{ devices: [{ token: 'a' }, { locale: 'en' }, null] }, ['a'], 'device token that is not a text'],
    [{ tokens: ['é'.repeat(801), 'é'.repeat(800)] }, ['é'.repeat(800)], 'device token of more than 1,600 bytes'],
    [{ tokens: [] }, [], 'channel data without tokens'],
  ])('that the API would refuse is left out by itself: %#', (data, tokens, reason) => {
    const { devices, notImported } = mapKnock(
      { id: 'ann', channel_data: { fcm: { data } } },
      { devicePlatform: 'web' },
    );
    expect(devices.map(({ token }) => token)).toEqual(tokens);
    expect(new Set(notImported)).toEqual(new Set([reason]));
  });
});

it('counts a category that has the name of the prototype, and takes the others', () => {
  const categories: unknown = JSON.parse('{"__proto__": false, "constructor": false}');
  const { choices, notImported } = mapKnock({ id: 'ann', preferences: { default: { categories } } }, {});
  expect(choices?.categories).toEqual(Object.fromEntries([['constructor', { enabled: false }]]));
  expect(notImported).toEqual(['preference for __proto__']);
});
