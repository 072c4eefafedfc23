// Rows of other products in unkind shapes. test/cli/import-recipients.int-spec.ts imports whole files.

import { describe, expect, it } from 'vitest';
import { mapKnock } from './knock.js';
import { mapNovu } from './novu.js';

const ios = { devicePlatform: 'ios' } as const;

describe('a row of Knock', () => {
  it.each([
    ['of its own', { __typename: 'PreferenceSet', user_id: 'ann', id: 'tenant-1', channel_types: { email: false } }],
    ['inside a user', { id: 'ann', preferences: [{ id: 'tenant-1', channel_types: { email: false } }] }],
  ])('imports no preference set of a tenant, %s', (_place, row) => {
    expect(mapKnock(row, {})).toMatchObject({ id: 'ann', choices: null, notImported: ['preference set tenant-1'] });
  });

  it('reports the fields of a preference set that it does not take', () => {
    const set = { commercial_subscribed: false, channels: { '8209': false }, categories: { news: true } };
    expect(mapKnock({ id: 'ann', preferences: { default: set } }, {})).toMatchObject({
      choices: { categories: { news: { enabled: true } } },
      notImported: ['field commercial_subscribed', 'field channels'],
    });
  });

  it('is a user if it has an address, whatever its own fields are called', () => {
    const row = { id: 'u1', user_id: 77, categories: ['vip'], email: 'ann@example.com' };
    expect(mapKnock(row, {})).toMatchObject({ id: 'u1', profile: { attributes: { user_id: 77 } } });
  });

  it('keeps a category with a name that objects have', () => {
    const row = JSON.parse('{"id": "ann", "preferences": {"default": {"categories": {"__proto__": false}}}}');
    expect(JSON.stringify(mapKnock(row, {}).choices)).toBe(
      '{"channels":{},"categories":{"__proto__":{"enabled":false}}}',
    );
  });

  it('has only device tokens that are texts of a length that can be stored, once each', () => {
    const tokens = ['t1', null, {}, '', 't1', 'x'.repeat(1_601)];
    const { devices, notImported } = mapKnock({ id: 'ann', channel_data: { fcm: { data: { tokens } } } }, ios);
    expect(devices).toEqual([{ token: 't1', platform: 'ios' }]);
    expect(notImported.toSorted()).toEqual([
      ...Array(3).fill('device token that is no text'),
      'device token that is too long',
    ]);
  });
});

describe('a row of Novu', () => {
  it('has only device tokens that are texts', () => {
    const channels = [{ providerId: 'apns', credentials: { deviceTokens: ['t1', null, 7] } }];
    expect(mapNovu({ subscriberId: 'ann', channels }, {})).toMatchObject({
      devices: [{ token: 't1', platform: 'ios' }],
      notImported: Array(2).fill('device token that is no text'),
    });
  });

  it('switches every channel off if it wants nothing, and reports what it does not take', () => {
    const preferences = {
      global: { enabled: false, schedule: { isEnabled: true } },
      workflows: [{ enabled: true, channels: {}, condition: { '==': [1, 1] }, workflow: { identifier: 'news' } }],
    };
    expect(mapNovu({ subscriberId: 'ann', preferences }, {})).toMatchObject({
      choices: {
        channels: { email: false, sms: false, push: false, chat: false, in_app: false, webhook: false },
        categories: { news: { enabled: true } },
      },
      notImported: ['field schedule', 'field condition'],
    });
  });
});
