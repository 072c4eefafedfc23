import { describe, expect, it } from 'vitest';
import { channelIds } from '#domain';
import { mapNovu } from './novu.js';

describe('a device token', () => {
  it('that the API would refuse is left out by itself', () => {
    const deviceTokens = ['a', null, {}, '', 'x'.repeat(1_601)];
    const channels = [{ providerId: 'apns', credentials: { deviceTokens } }];
    const { devices, notImported } = mapNovu({ subscriberId: 'ann', channels }, {});
    expect(devices).toEqual([{ token: 'a', platform: 'ios' }]);
    expect(new Set(notImported)).toEqual(
      new Set(['device token that is not a text', 'device token of more than 1,600 bytes']),
    );
  });
});

describe('a part of preferences that Carillon does not have', () => {
  const workflow = { identifier: 'news' };

  it.each([
    [{ global: { enabled: true, schedule: { isEnabled: true } } }, ['field schedule']],
    [{ workflows: [{ enabled: true, condition: { and: [] }, overrides: [], workflow }] }, ['field condition']],
    [{ global: {}, critical: true }, ['field critical']],
    [{ global: 'off', workflows: [] }, ['field global that is not an object or a list']],
    [
      { data: [{ template: workflow, preference: { enabled: true, condition: 1 }, level: 'x' }] },
      ['field level', 'field condition'],
    ],
  ])('is counted: %j', (preferences, names) => {
    expect(mapNovu({ subscriberId: 'ann', preferences }, {}).notImported).toEqual(names);
    expect(mapNovu({ subscriberId: 'ann', ...preferences }, {}).notImported).toEqual(names);
  });

  it('is counted if it is the page of an answer', () => {
    const preferences = { data: { global: { enabled: false } } };
    expect(mapNovu({ subscriberId: 'ann', preferences }, {}).notImported).toEqual(['field data of preferences']);
  });
});

it('sends nothing on any channel to a subscriber who is switched off as a whole', () => {
  const { choices } = mapNovu({ subscriberId: 'ann', global: { enabled: false, channels: { email: true } } }, {});
  expect(choices?.channels).toEqual(Object.fromEntries(channelIds.map((channel) => [channel, false])));
});

it('counts a workflow that has the name of the prototype, and takes the others', () => {
  const workflows = ['__proto__', 'news'].map((identifier) => ({ enabled: false, workflow: { identifier } }));
  const { choices, notImported } = mapNovu({ subscriberId: 'ann', workflows }, {});
  expect(choices?.categories).toEqual({ news: { enabled: false } });
  expect(Object.getPrototypeOf(choices?.categories)).toBe(Object.prototype);
  expect(notImported).toEqual(['preference for __proto__']);
});
