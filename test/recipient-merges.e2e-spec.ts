// POST /api/v1/recipients/bulk merges many recipients with their preferences and devices.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, untilWaitingForLock } from '#testing';
import { type Answer, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let environment: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  environment = await startTestEnvironment({ worker: false });
});
beforeEach(async () => {
  tenant = await environment.tenant();
});
afterAll(() => environment?.stop());

const merge = (...recipients: unknown[]): Promise<Answer> =>
  tenant.call('POST', '/api/v1/recipients/bulk', { recipients });
const get = async (path: string): Promise<Json> => (await tenant.call('GET', `/api/v1/recipients/${path}`)).body;
/** Until so many statements wait for a lock. */
const resultsOf = ({ body }: Answer): string[] => body.accepted.map(({ id, result }: Json) => `${id} ${result}`);

describe('a bulk of recipients', () => {
  it('creates those that are new and merges the others; fields that an item does not have stay', async () => {
    await tenant.call('PUT', '/api/v1/recipients/ann', {
      email: 'ann@example.com',
      locale: 'de',
      attributes: { plan: 'free', address: { city: 'Bonn', zip: '53111' }, old: 1 },
    });
    const quiet = { windows: [{ days: ['mon'], from: '22:00', to: '08:00' }] };
    await tenant.call('PUT', '/api/v1/recipients/ann/preferences', {
      channels: { sms: false },
      categories: { news: { enabled: false } },
      quiet_hours: quiet,
    });
    await tenant.call('POST', '/api/v1/recipients/ann/devices', { token: 't1', platform: 'ios' });
    const items = [
      {
        id: 'ann',
        locale: null,
        attributes: { plan: 'pro', address: { city: 'Köln' }, old: null },
        preferences: { channels: { push: true }, categories: { news: { channels: { email: true } } } },
        devices: [
          { token: 't1', platform: 'android' },
          { token: 't2', platform: 'android' },
        ],
      },
      { id: 'bob', phone: '+15005550001', preferences: { quiet_hours: quiet, caps: [] } },
      { id: 'eve' },
    ];
    const done = await merge(...items);
    expect([done.status, resultsOf(done), done.body.rejected]).toEqual([
      200,
      ['ann changed', 'bob created', 'eve created'],
      [],
    ]);
    expect(await get('ann')).toMatchObject({ email: 'ann@example.com', locale: null });
    expect((await get('ann')).attributes).toEqual({ plan: 'pro', address: { city: 'Köln', zip: '53111' } });
    expect(await get('ann/preferences')).toEqual({
      channels: { sms: false, push: true },
      categories: { news: { enabled: false, channels: { email: true } } },
      quiet_hours: quiet,
      caps: [],
    });
    const devices: Json[] = (await get('ann/devices')).data;
    expect(devices.map(({ token, platform }) => `${token} ${platform}`).toSorted()).toEqual(['t1 ios', 't2 android']);
    expect(await get('bob/preferences')).toMatchObject({ quiet_hours: quiet });

    const before = await get('ann');
    expect(resultsOf(await merge(...items))).toEqual(['ann unchanged', 'bob unchanged', 'eve unchanged']);
    expect(await get('ann')).toEqual(before);
  });

  it('applies items of the same recipient in their order', async () => {
    const done = await merge(
      { id: 'ann', email: 'old@example.com' },
      { id: 'bob' },
      { id: 'ann', email: 'ann@example.com' },
      { id: 'ann', preferences: { channels: { sms: false } } },
      { id: 'ann', email: 'ann@example.com' },
    );
    expect(resultsOf(done)).toEqual(['ann created', 'bob created', 'ann changed', 'ann changed', 'ann unchanged']);
    expect((await get('ann')).email).toBe('ann@example.com');
    expect((await get('ann/preferences')).channels).toEqual({ sms: false });
    // Attributes that no item has stay.
    await merge({ id: 'ann', attributes: { plan: 'pro' } }, { id: 'eve', attributes: { plan: 'free' } });
    const more = await merge(
      { id: 'ann', locale: 'de' },
      { id: 'eve', locale: 'de' },
      { id: 'eve', attributes: { n: 1 } },
    );
    expect(resultsOf(more)).toEqual(['ann changed', 'eve changed', 'eve changed']);
    expect([(await get('ann')).attributes, (await get('eve')).attributes]).toEqual([
      { plan: 'pro' },
      { plan: 'free', n: 1 },
    ]);
  });

  it('rejects an item by itself, with each field and its value', async () => {
    const category = { enabled: false };
    const many = (from: number) =>
      Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`category-${from + at}`, category]));
    await merge({ id: 'full', preferences: { categories: many(0) } });
    const done = await merge(
      { id: 'ann', email: 'nobody', phone: '555', plan: 'pro' },
      { id: 'bob', attributes: { text: 'x'.repeat(256 * 1024) } },
      'text',
      { id: 'full', preferences: { categories: many(150) } },
      { id: 'eve' },
    );
    expect(done.status).toBe(422);
    const mixed = await merge(
      { id: 'ann', email: 'nobody', phone: '555', plan: 'pro' },
      { id: 'bob', attributes: { text: 'x'.repeat(256 * 1024) } },
      { email: 'no-id@example.com' },
      { id: 'full', preferences: { categories: many(150) } },
      { id: 'eve' },
    );
    expect([mixed.status, mixed.body.accepted]).toEqual([200, [{ index: 4, id: 'eve', result: 'created' }]]);
    expect(
      mixed.body.rejected.map(({ index, errors }: Json) => [index, ...errors.map(({ pointer }: Json) => pointer)]),
    ).toEqual([
      [0, '/email', '/phone', '/plan'],
      [1, '/'],
      [2, '/id'],
      [3, '/preferences/categories'],
    ]);
    expect(mixed.body.rejected[0].errors[0].message).toMatch(/, got "nobody"$/);
    expect((await tenant.call('GET', '/api/v1/recipients')).body.data.map(({ id }: Json) => id)).toEqual([
      'eve',
      'full',
    ]);
  });

  it('stores the longest token of the longest id, and refuses a longer one', async () => {
    // Random, because PostgreSQL compresses repeated text.
    const longest = randomBytes(800).toString('hex');
    const id = Array.from(randomBytes(255), (byte) => String.fromCharCode(0x4e00 + byte)).join('');
    const done = await merge(
      { id, devices: [{ token: longest, platform: 'web' }] },
      { id: 'ann', devices: [{ token: `${longest}x`, platform: 'web' }] },
      { id: 'bob', devices: [{ token: 'é'.repeat(801), platform: 'web' }] },
    );
    expect(resultsOf(done)).toEqual([`${id} created`]);
    expect(done.body.rejected.map(({ errors }: Json) => errors[0].pointer)).toEqual(Array(2).fill('/devices/0/token'));
  });

  it('waits for preferences that another request is creating, and counts them', async () => {
    const many = (from: number) =>
      Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`category-${from + at}`, { enabled: false }]));
    const page = await connect(environment.databaseUrl);
    await page.query('begin');
    await page.query('insert into preferences (tenant_id, recipient_id, categories) values ($1, $2, $3)', [
      tenant.id,
      'ann',
      many(0),
    ]);
    const done = merge({ id: 'ann', preferences: { categories: many(150) } }, { id: 'ann', phone: '+15005550001' });
    await untilWaitingForLock(environment.sql, 1);
    await page.query('commit');
    await page.end();
    expect([resultsOf(await done), (await done).body.rejected.length]).toEqual([['ann created'], 1]);
    expect(await get('ann')).toMatchObject({ phone: '+15005550001' });
    expect(Object.keys((await get('ann/preferences')).categories)).toHaveLength(150);
  });

  it('does not create a recipient whose stored preferences would exceed the limit of categories', async () => {
    const many = (from: number) =>
      Object.fromEntries(Array.from({ length: 150 }, (_, at) => [`category-${from + at}`, { enabled: false }]));
    await tenant.call('PUT', '/api/v1/recipients/ann/preferences', { categories: many(0) });
    const done = await merge({ id: 'ann', preferences: { categories: many(150) } }, { id: 'bob' });
    expect([resultsOf(done), done.body.rejected.length]).toEqual([['bob created'], 1]);
    expect((await tenant.call('GET', '/api/v1/recipients/ann')).status).toBe(404);
    expect(Object.keys((await get('ann/preferences')).categories)).toHaveLength(150);
  });

  it('stores nothing of a refused item, also of the first one of a new recipient', async () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`category-${at}`, { enabled: false }]));
    await tenant.call('PUT', '/api/v1/recipients/ann/preferences', { categories: many(200) });
    const done = await merge(
      {
        id: 'ann',
        locale: 'de',
        attributes: { plan: 'pro' },
        preferences: { categories: { more: { enabled: false } } },
      },
      { id: 'ann', email: 'ann@example.com' },
    );
    expect([resultsOf(done), done.body.rejected.map(({ index }: Json) => index)]).toEqual([['ann created'], [0]]);
    expect(await get('ann')).toMatchObject({ email: 'ann@example.com', locale: null, attributes: {} });
  });

  it('refuses what would make a recipient too large: attributes and devices, also together with those that it has', async () => {
    const text = 'x'.repeat(40_000);
    const tokens = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => ({ token: `t${from + at}`, platform: 'ios' }));
    const done = await merge(
      { id: 'ann', attributes: { a: text }, devices: tokens(0, 300) },
      { id: 'ann', attributes: { b: text } },
      { id: 'ann', devices: tokens(250, 151) },
      { id: 'ann', devices: tokens(250, 150) },
      { id: 'bob', attributes: { a: text, b: text } },
    );
    expect(resultsOf(done)).toEqual(['ann created', 'ann changed']);
    expect(done.body.rejected.map(({ index, errors }: Json) => [index, errors[0].pointer, errors[0].code])).toEqual([
      [1, '/attributes', 'too_large'],
      [2, '/devices', 'too_many_devices'],
      [4, '/attributes', 'too_large'],
    ]);
    const again = await merge({ id: 'ann', attributes: { b: text } }, { id: 'ann', devices: tokens(400, 1) });
    expect(again.body.rejected).toHaveLength(2);
    expect([Object.keys((await get('ann')).attributes), (await get('ann/devices')).data.length]).toEqual([['a'], 400]);

    // The other ways to the same rows.
    const patched = await tenant.call('PATCH', '/api/v1/recipients/ann', { attributes: { b: text } });
    const added = await tenant.call('POST', '/api/v1/recipients/ann/devices', tokens(400, 1)[0]);
    const known = await tenant.call('POST', '/api/v1/recipients/ann/devices', tokens(0, 1)[0]);
    const put = await tenant.call('PUT', '/api/v1/recipients/bob', { attributes: { a: text, b: text } });
    expect([patched, added, known, put].map(({ status, body }) => [status, body.errors?.[0].pointer])).toEqual([
      [422, '/attributes'],
      [422, '/token'],
      [201, undefined],
      [422, '/attributes'],
    ]);
    const send = { channel: 'in_app', content: { title: 'Hello', body: 'Hello' } };
    const sendTo = async (attributes: Json) =>
      await tenant.call('POST', '/api/v1/notifications', { ...send, recipient: { id: 'ann', attributes } });
    const refused = await sendTo({ b: text });
    expect([refused.status, refused.body.errors]).toEqual([
      422,
      [{ pointer: '/recipient/attributes', code: 'too_large', message: expect.stringContaining('65536 bytes') }],
    ]);
    expect((await sendTo({ a: text.slice(1), b: 'x' })).status).toBe(202);
    const { body: bulk } = await tenant.call('POST', '/api/v1/notifications/bulk', {
      ...send,
      recipients: [{ recipient: { id: 'ann', attributes: { c: text } } }, { recipient: { id: 'eve' } }],
    });
    expect([bulk.accepted.map(({ index }: Json) => index), bulk.rejected[0].errors[0].pointer]).toEqual([
      [1],
      '/recipient/attributes',
    ]);
  });

  it('loses no item when several requests create and change the same recipients at once', async () => {
    const bulk = (part: number) =>
      Array.from({ length: 60 }, (_, at) => ({
        id: `user-${(at * 7 + part * 13) % 60}`,
        attributes: { [`part-${part}`]: at },
        preferences: { channels: { [['sms', 'email', 'push', 'chat'][part % 4]!]: false } },
        devices: [{ token: `token-${part}`, platform: 'web' }],
      }));
    const answers = await Promise.all(Array.from({ length: 4 }, (_, part) => merge(...bulk(part))));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const created = answers.flatMap(resultsOf).filter((result) => result.endsWith(' created'));
    expect(created.length).toBe(60);
    for (const id of ['user-0', 'user-31', 'user-59']) {
      expect(Object.keys((await get(id)).attributes)).toHaveLength(4);
      expect((await get(`${id}/preferences`)).channels).toEqual({ sms: false, email: false, push: false, chat: false });
      expect((await get(`${id}/devices`)).data).toHaveLength(4);
    }
  });

  it('locks and creates recipients in order of id, so that two requests cannot deadlock', async () => {
    await merge({ id: 'a' });
    const other = await connect(environment.databaseUrl);
    // In a deadlock this transaction fails first.
    await other.query(`begin; set local deadlock_timeout = '10ms'`);
    await other.query(`select from recipients where tenant_id = $1 and id = 'a' for update`, [tenant.id]);
    const ab = merge({ id: 'b', email: 'b@example.com' }, { id: 'a', timezone: 'Europe/Berlin' });
    await untilWaitingForLock(environment.sql, 1);
    await other.query(`insert into recipients (tenant_id, id, locale) values ($1, 'b', 'de')`, [tenant.id]);
    await other.query('commit');
    await other.end();
    expect(resultsOf(await ab)).toEqual(['b changed', 'a changed']);
    expect(await get('a')).toMatchObject({ timezone: 'Europe/Berlin' });
    expect(await get('b')).toMatchObject({ locale: 'de', email: 'b@example.com' });
  });

  it('is explained without a change, also with a key that may only read', async () => {
    await merge({ id: 'ann', email: 'ann@example.com' });
    const made = await environment.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'Reader',
      scopes: ['recipients:read'],
    });
    const body = { recipients: [{ id: 'ann', locale: 'de' }, { id: 'bob' }, { id: 'ann', email: 'ann@example.com' }] };
    const headers = { 'X-API-Key': made.body.api_key };
    const explained = await environment.call('POST', '/api/v1/recipients/bulk/explain', { body, headers });
    expect([explained.status, resultsOf(explained)]).toEqual([200, ['ann changed', 'bob created', 'ann unchanged']]);
    expect((await environment.call('POST', '/api/v1/recipients/bulk', { body, headers })).status).toBe(403);
    expect((await get('ann')).locale).toBeNull();
    expect((await tenant.call('GET', '/api/v1/recipients/bob')).status).toBe(404);
  });

  it('has at most 1,000 recipients and at least one', async () => {
    const many = Array.from({ length: 1_001 }, (_, at) => ({ id: `user-${at}` }));
    expect((await merge(...many)).status).toBe(422);
    expect((await merge()).status).toBe(422);
    expect((await merge(...many.slice(1))).body.accepted).toHaveLength(1_000);
  });
});
