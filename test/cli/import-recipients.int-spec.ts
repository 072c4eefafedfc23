// `carillon import recipients` as a process, with exports of Novu and Knock, against the real API.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from '../test-environment.js';
import { accessTo, type CommandResult, carillon, startCarillon } from './run-carillon.js';

let environment: TestEnvironment;
let tenant: Tenant;
let folder: string;

beforeAll(async () => {
  environment = await startTestEnvironment({ worker: false });
  folder = mkdtempSync(join(tmpdir(), 'carillon-import-'));
});
beforeEach(async () => {
  tenant = await environment.tenant();
});
afterAll(async () => {
  await environment?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const NOVU = [
  {
    _id: '6400',
    subscriberId: 'ann',
    firstName: 'Ann',
    email: 'ann@example.com',
    phone: '+15005550001',
    locale: 'en_US',
    timezone: 'Europe/Paris',
    avatar: '',
    data: { plan: 'pro', seats: 3 },
    isOnline: true,
    topics: ['news'],
    channels: [
      { providerId: 'fcm', _integrationId: 'x', credentials: { deviceTokens: ['fcm-ann-1', 'fcm-ann-2'] } },
      { providerId: 'apns', credentials: { deviceTokens: ['apns-ann'] } },
      { providerId: 'slack', credentials: { webhookUrl: 'https://hooks.slack.com/ann' } },
    ],
    preferences: {
      global: { enabled: true, channels: { email: true, sms: false, in_app: true } },
      workflows: [
        { enabled: false, channels: { email: false }, workflow: { identifier: 'newsletter', name: 'Newsletter' } },
        { enabled: true, channels: { push: false }, workflow: { name: 'no identifier' } },
      ],
    },
  },
  { subscriberId: 'bob', email: null, lastName: 'Bob', data: null, channels: [] },
];

async function run(file: string, content: string, ...more: string[]): Promise<CommandResult> {
  const path = join(folder, file);
  writeFileSync(path, content);
  return await carillon(['import', 'recipients', path, '--json', ...more], accessTo(environment, tenant));
}
const lines = (rows: readonly unknown[]): string => rows.map((row) => JSON.stringify(row)).join('\n');
const get = async (path: string): Promise<Json> => (await tenant.call('GET', `/api/v1/recipients/${path}`)).body;

describe('a row that cannot be taken over', { timeout: 60_000 }, () => {
  it('is refused by itself, also if its id is no valid text or was rounded', async () => {
    const rows = [
      '{"subscriberId": "\\ud800x", "email": "half@example.com"}',
      '{"subscriberId": 12345678901234567890, "email": "round@example.com"}',
      '{"subscriberId": "ann", "firstName": "\\u0000"}',
      '{"subscriberId": "ann", "email": "ann@example.com"}',
      '{"subscriberId": "bob", "preferences": "{\\"global\\": {\\"enabled\\": false}}"}',
    ];
    const { code, json } = await run('faults.ndjson', rows.join('\n'), '--from', 'novu', '--yes');
    const { refused_rows: refused, not_imported: left, ...counts } = json();
    expect([code, counts]).toMatchObject([5, { rows: 5, created: 2, refused: 3 }]);
    expect(refused.map((row: Json) => [row.line, row.reason])).toEqual([
      [1, 'subscriberId has half of a surrogate pair'],
      [2, 'subscriberId must be a text or a whole number below 2^53'],
      [3, expect.any(String)],
    ]);
    expect(left).toMatchObject({ 'field preferences that is not an object or a list': 1 });
    expect(await get('ann')).toMatchObject({ email: 'ann@example.com' });
  });
});

describe('an export of Novu', { timeout: 60_000 }, () => {
  it('becomes recipients with attributes, devices and preferences; a second run changes nothing', async () => {
    const dry = await run('novu.ndjson', lines(NOVU), '--from', 'novu');
    expect([dry.code, dry.json()]).toMatchObject([0, { dry_run: true, rows: 2, created: 2, changed: 0, refused: 0 }]);
    expect((await tenant.call('GET', '/api/v1/recipients')).body.data).toEqual([]);

    const done = await run('novu.ndjson', lines(NOVU), '--from', 'novu', '--yes');
    expect([done.code, done.json()]).toEqual([
      0,
      {
        dry_run: false,
        rows: 2,
        created: 2,
        changed: 0,
        unchanged: 0,
        refused: 0,
        refused_rows: [],
        not_imported: {
          'field topics': 1,
          'credentials of slack': 1,
          'preference without the identifier of its workflow': 1,
        },
      },
    ]);
    expect(await get('ann')).toMatchObject({
      email: 'ann@example.com',
      phone: '+15005550001',
      locale: 'en-US',
      timezone: 'Europe/Paris',
      attributes: { firstName: 'Ann', plan: 'pro', seats: 3 },
    });
    expect((await get('bob')).attributes).toEqual({ lastName: 'Bob' });
    expect(await get('ann/preferences')).toMatchObject({
      channels: { email: true, sms: false, in_app: true },
      categories: { newsletter: { enabled: false, channels: { email: false } } },
    });
    const devices: Json[] = (await get('ann/devices')).data;
    expect(devices.map(({ token, platform }) => `${token} ${platform}`).toSorted()).toEqual([
      'apns-ann ios',
      'fcm-ann-1 android',
      'fcm-ann-2 android',
    ]);

    const before = await get('ann');
    const again = await run('novu.ndjson', lines(NOVU), '--from', 'novu', '--yes');
    expect(again.json()).toMatchObject({ created: 0, changed: 0, unchanged: 2 });
    expect(await get('ann')).toEqual(before);
  });

  it('is read as pages, as an array, and with preferences in rows of their own', async () => {
    const [ann, bob] = NOVU;
    const page = { page: 0, totalCount: 2, pageSize: 10, data: [ann] };
    const first = [
      {
        template: { name: 'Old', triggers: [{ identifier: 'old' }] },
        preference: { enabled: true, channels: { sms: false } },
      },
    ];
    const rows = [page, bob, { subscriberId: 'bob', data: first }, { subscriberId: 'eve', global: { enabled: false } }];
    const dry = (await run('pages.json', JSON.stringify(rows, null, 2), '--from', 'novu')).json();
    expect(dry).toMatchObject({ rows: 4, created: 3, changed: 1, refused: 0 });
    const done = (await run('pages.json', JSON.stringify(rows, null, 2), '--from', 'novu', '--yes')).json();
    expect(done).toMatchObject({ rows: 4, created: 3, changed: 1, refused: 0 });
    expect((await get('bob/preferences')).categories).toEqual({ old: { enabled: true, channels: { sms: false } } });
    expect((await get('eve/preferences')).channels).toMatchObject({ email: false, sms: false });
  });

  it('leaves what the row does not have', async () => {
    await tenant.call('PUT', '/api/v1/recipients/ann', {
      email: 'old@example.com',
      attributes: { mine: 1, plan: 'free' },
    });
    await tenant.call('PUT', '/api/v1/recipients/ann/preferences', {
      categories: { newsletter: { channels: { sms: true } }, mine: { enabled: false } },
      quiet_hours: { windows: [{ days: ['mon'], from: '22:00', to: '08:00' }] },
    });
    const done = await run('novu.ndjson', lines(NOVU), '--from', 'novu', '--yes');
    expect(done.json()).toMatchObject({ created: 1, changed: 1 });
    expect(await get('ann')).toMatchObject({
      email: 'ann@example.com',
      attributes: { mine: 1, plan: 'pro', seats: 3 },
    });
    expect(await get('ann/preferences')).toMatchObject({
      categories: { newsletter: { enabled: false, channels: { sms: true, email: false } }, mine: { enabled: false } },
      quiet_hours: { windows: [{ days: ['mon'], from: '22:00', to: '08:00' }] },
    });
  });
});

describe('an export of Knock', { timeout: 60_000 }, () => {
  it('becomes recipients; conditions, other sets and tokens without a platform are reported', async () => {
    const users = [
      {
        __typename: 'User',
        id: 'jane',
        name: 'Jane',
        email: 'jane@example.com',
        phone_number: '+15005550002',
        plan: { name: 'pro' },
        created_at: '2026-01-01T00:00:00Z',
        channel_data: { '8209f26c': { data: { tokens: ['t1', 't2'] } }, a1: { token: { access_token: 'x' } } },
        preferences: {
          default: {
            id: 'default',
            categories: { marketing: false, both: true },
            workflows: { both: { channel_types: { email: false }, conditions: [{ variable: 'a' }] } },
            channel_types: { email: true, in_app_feed: false, http: true, sms: { conditions: [] } },
          },
          'tenant-1': { channel_types: { email: false } },
        },
      },
    ];
    const sets = [{ user_id: 'jane', id: 'default', workflows: { late: true }, channel_types: {} }];
    const page = { entries: users, page_info: { after: null } };
    const dry = (await run('knock.ndjson', lines([page]), '--from', 'knock', '--yes')).json();
    expect(dry.not_imported).toEqual({
      'device tokens: give --device-platform': 1,
      'channel data without tokens': 1,
      'preference set tenant-1': 1,
      'preference for sms with conditions': 1,
      'field conditions': 1,
    });
    expect((await get('jane/devices')).data).toEqual([]);
    const done = await run(
      'knock.ndjson',
      lines([page, ...sets]),
      '--from',
      'knock',
      '--yes',
      '--device-platform',
      'web',
    );
    // The set of a user in two rows: the second one is refused.
    expect([done.code, done.json()]).toMatchObject([
      5,
      {
        created: 0,
        changed: 1,
        refused_rows: [{ line: 2, id: 'jane', reason: 'an earlier row already has the preferences of this recipient' }],
      },
    ]);
    expect(await get('jane')).toMatchObject({
      attributes: { name: 'Jane', plan: { name: 'pro' } },
      phone: '+15005550002',
    });
    expect(await get('jane/preferences')).toMatchObject({
      channels: { email: true, in_app: false, webhook: true },
      categories: { marketing: { enabled: false }, both: { channels: { email: false } } },
    });
    expect((await get('jane/devices')).data.map(({ token }: Json) => token).toSorted()).toEqual(['t1', 't2']);
    const set = await run('sets.ndjson', lines(sets), '--from', 'knock', '--yes');
    expect(set.json()).toMatchObject({ changed: 1, refused: 0 });
    expect((await get('jane/preferences')).categories).toMatchObject({
      late: { enabled: true },
      marketing: { enabled: false },
    });
  });

  it('gives a recipient nothing of the preference sets of tenants', async () => {
    const set = { __typename: 'PreferenceSet', user_id: 'jane', channel_types: { email: false } };
    const other = { ...set, user_id: 'joe', id: 'tenant-1' };
    const rows = [{ ...set, id: 'tenant-1' }, { ...set, id: 'default', channel_types: { sms: false } }, other];
    const { code, json } = await run('tenants.ndjson', lines(rows), '--from', 'knock', '--yes');
    expect([code, json()]).toMatchObject([
      0,
      { created: 1, unchanged: 2, refused: 0, not_imported: { 'preference set tenant-1': 2 } },
    ]);
    expect((await get('jane/preferences')).channels).toEqual({ sms: false });
    expect((await tenant.call('GET', '/api/v1/recipients/joe')).status).toBe(404);
  });

  it('is read from CSV, also with a broken line', async () => {
    const csv = [
      '\ufeffid,name,email,phone_number,timezone,plan',
      'u1,"Smith, Jane",u1@example.com,,Europe/Berlin,pro',
      'u2,"two\nlines",,+15005550003,,',
      'u3,too,many,cells,in,this,line',
      'u4,x,not-an-address,,,',
      ',nobody,,,,',
      'u5,last,,,,free',
    ].join('\n');
    const done = await run('users.csv', csv, '--from', 'knock', '--yes');
    const { refused_rows: refused, ...counts } = done.json();
    expect(counts).toMatchObject({ created: 3, refused: 3 });
    expect(refused.map(({ line, reason }: Json) => `${line} ${reason}`).toSorted()).toEqual([
      expect.stringMatching(/^5 is not CSV: Invalid Record Length/),
      expect.stringMatching(/^6 email .*not-an-address|^6 email /),
      '7 has no id',
    ]);
    expect(await get('u1')).toMatchObject({
      attributes: { name: 'Smith, Jane', plan: 'pro' },
      timezone: 'Europe/Berlin',
    });
    expect((await get('u2')).attributes).toEqual({ name: 'two\nlines' });
  });
});

describe('a hostile file', { timeout: 120_000 }, () => {
  it('loses only its broken rows, each with its line and reason', async () => {
    const path = join(folder, 'hostile.ndjson');
    const ok = (id: string) => JSON.stringify({ subscriberId: id, firstName: id });
    const parts: (string | Buffer)[] = [
      ok('h1'),
      '{"subscriberId": "broken", ',
      Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
      `{"subscriberId": "huge", "firstName": "${'x'.repeat(5 * 1024 * 1024)}"}`,
      ok('h1'),
      '[1, 2]',
      '',
      '{"subscriberId": "bad\\u0000id"}',
      '{"subscriberId": "phone", "phone": "555 0001", "email": "nobody"}',
      '{"subscriberId": "zone", "timezone": "Mars/Olympus"}',
      '{"__proto__": {"subscriberId": "proto"}, "constructor": 1}',
      JSON.stringify({
        subscriberId: 'deep',
        data: { a: JSON.parse('[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]') },
      }),
      ok('../../internal/tenants'),
      '"text"',
      ok('h2'),
    ];
    writeFileSync(path, '');
    for (const part of parts) appendFileSync(path, Buffer.concat([Buffer.from(part as string), Buffer.from('\n')]));
    const refusedFile = join(folder, 'refused.ndjson');
    const done = await carillon(
      ['import', 'recipients', path, '--from', 'novu', '--yes', '--json', '--refused', refusedFile],
      accessTo(environment, tenant),
    );
    expect([done.code, done.json()]).toMatchObject([5, { rows: 14, created: 3, refused: 11 }]);
    const refused = readFileSync(refusedFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Json);
    expect(refused.map(({ line, reason }) => `${line} ${reason}`).toSorted()).toEqual(
      [
        /^2 is not JSON/,
        /^3 is not UTF-8/,
        /^4 has more than 4 MB/,
        /^5 an earlier row already has the profile of this recipient$/,
        /^6 is not an object/,
        /^8 subscriberId must be 1 to 255 printable/,
        /^9 .*email .*; phone must be an E\.164|^9 .*phone must be an E\.164.*/,
        /^10 timezone /,
        /^11 has no subscriberId/,
        /^12 (Validation failed|Malformed|Invalid|Payload)/,
        /^14 is not an object/,
      ]
        .map((pattern) => expect.stringMatching(pattern))
        .toSorted((one, other) => (String(one.sample) < String(other.sample) ? -1 : 1)),
    );
    const { data } = (await tenant.call('GET', '/api/v1/recipients')).body;
    expect(data.map(({ id }: Json) => id).toSorted()).toEqual(['../../internal/tenants', 'h1', 'h2']);
  });

  it('of one array that breaks off keeps the rows before it, and says where', async () => {
    const text = `[{"subscriberId":"a1","firstName":"]\\"}, "},\n{"subscriberId": nonsense},\n {"subscriberId":"a2"},\n{"subs`;
    const done = await run('array.json', text, '--from', 'novu', '--yes');
    expect([done.code, done.json()]).toMatchObject([
      5,
      {
        created: 2,
        refused_rows: [
          { line: 2, reason: expect.stringContaining('is not JSON') },
          { line: 4, reason: 'has more than 4 MB, or does not end' },
        ],
      },
    ]);
    expect((await get('a1')).attributes).toEqual({ firstName: ']"}, ' });
    for (const [content, rows] of [
      ['', 0],
      ['[]', 0],
      ['\n\n', 0],
    ] as const)
      expect((await run('empty.json', content, '--from', 'novu')).json()).toMatchObject({ rows, created: 0 });
  });

  it('of CSV with a record that is too long keeps the rows before it, and says that the rest was not read', async () => {
    const csv = `id,name\nc1,a\nc2,"${'x'.repeat(5 * 1024 * 1024)}\nc3,c\n`;
    const done = await run('huge.csv', csv, '--from', 'knock', '--yes');
    expect([done.code, done.json()]).toMatchObject([
      5,
      {
        created: 1,
        refused_rows: [{ line: 3, reason: expect.stringMatching(/Max Record Size.*; the rest was not read/) }],
      },
    ]);
  });

  it('that is stopped in the middle is run again, and what is done does not change', async () => {
    const rows = Array.from({ length: 5_000 }, (_, at) => ({
      subscriberId: `many-${at}`,
      firstName: 'x'.repeat(2_000),
    }));
    const path = join(folder, 'many.ndjson');
    writeFileSync(path, lines(rows));
    const command = ['import', 'recipients', path, '--from', 'novu', '--yes', '--json'];
    const stopped = startCarillon(command, accessTo(environment, tenant));
    await until(
      'some are there',
      async () => (await tenant.call('GET', '/api/v1/recipients?limit=200')).body.data.length > 100,
    );
    stopped.child.kill('SIGKILL');
    await stopped.done;
    const again = await carillon(command, accessTo(environment, tenant));
    const { created, unchanged, refused } = again.json();
    expect([created + unchanged, refused]).toEqual([5_000, 0]);
    expect(unchanged).toBeGreaterThan(100);
    expect(created).toBeGreaterThan(0);
  });
});

describe('a large file', { timeout: 120_000 }, () => {
  it('takes a request for many rows, also if two rows of each recipient follow each other', async () => {
    const profiles = Array.from({ length: 3_000 }, (_, at) => ({
      subscriberId: `u${at}`,
      email: `u${at}@example.com`,
    }));
    const off = { enabled: true, channels: { sms: false } };
    const rows = profiles.flatMap((row) => [row, { subscriberId: row.subscriberId, global: off }]);
    const bad = { subscriberId: 'deep', data: { a: JSON.parse(`${'['.repeat(25)}1${']'.repeat(25)}`) } };
    rows.splice(3_333, 0, { subscriberId: 'bad', email: 'not-an-address' }, bad as never);
    const requests = async (): Promise<number> => {
      const { rows: found } = await environment.sql.query(
        'select count(distinct xmin::text)::int as count from recipients where tenant_id = $1',
        [tenant.id],
      );
      return found[0].count;
    };
    const dry = await run('large.ndjson', lines(rows), '--from', 'novu');
    expect(dry.json()).toMatchObject({ rows: 6_002, created: 3_000, changed: 3_000, refused: 2 });
    expect(await requests()).toBe(0);
    const done = await run('large.ndjson', lines(rows), '--from', 'novu', '--yes');
    expect(done.json()).toMatchObject({ created: 3_000, changed: 3_000, unchanged: 0, refused: 2 });
    expect(done.json().refused_rows.toSorted((one: Json, other: Json) => one.line - other.line)).toEqual([
      { line: 3_334, reason: expect.stringMatching(/^email .*, got "not-an-address"$/) },
      { line: 3_335, id: 'deep', reason: expect.stringContaining('nested 20 deep') },
    ]);
    expect(await requests()).toBeLessThan(60);
    expect((await get('u2999')).email).toBe('u2999@example.com');
    expect((await get('u2999/preferences')).channels).toEqual({ sms: false });
    const again = await run('large.ndjson', lines(rows), '--from', 'novu', '--yes');
    expect(again.json()).toMatchObject({ created: 0, changed: 0, unchanged: 6_000, refused: 2 });
  });
});

describe('the command', { timeout: 60_000 }, () => {
  it('says what was done, and what a row repeats', async () => {
    const preferences = { global: { channels: { sms: false } } };
    const rows = [{ subscriberId: 'ann', email: 'ann@example.com', preferences }];
    const path = join(folder, 'twice.ndjson');
    writeFileSync(path, lines([...rows, ...rows]));
    const done = await carillon(
      ['import', 'recipients', path, '--from', 'novu', '--yes'],
      accessTo(environment, tenant),
    );
    expect(done.stdout).toBe(
      'Refused: line 2, ann: an earlier row already has the profile and the preferences of this recipient\n' +
        '2 rows: 1 created, 0 changed, 0 unchanged, 1 refused.\n',
    );
  });

  it('stops a dry run for a key that may not read, and says that nothing was written', async () => {
    const made = await environment.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'Sender',
      scopes: ['notifications:write'],
    });
    const path = join(folder, 'novu.ndjson');
    writeFileSync(path, lines(NOVU));
    const access = { ...accessTo(environment, tenant), CARILLON_API_KEY: made.body.api_key };
    const refused = await carillon(['import', 'recipients', path, '--from', 'novu'], access);
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringMatching(/lacks the scope recipients:read.*\nStopped at line 1\. Nothing was written\.\n$/),
    ]);
  });

  it('stops for a key that may not write, with the line', async () => {
    const made = await environment.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'Reader',
      scopes: ['recipients:read'],
    });
    const path = join(folder, 'novu.ndjson');
    writeFileSync(path, lines(NOVU));
    const access = { ...accessTo(environment, tenant), CARILLON_API_KEY: made.body.api_key };
    const text = await carillon(['import', 'recipients', path, '--from', 'novu'], access);
    const planned =
      /\n2 rows: 2 would be created, 0 changed, 0 unchanged, 0 refused\.\nNothing was written: add --yes\.\n$/;
    expect([text.code, text.stdout]).toEqual([0, expect.stringMatching(planned)]);
    const refused = await carillon(['import', 'recipients', path, '--from', 'novu', '--yes'], access);
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringMatching(
        /lacks the scope recipients:write.*\nStopped at line 1 \(\d rows? read\)\. Correct this, then run the same command/,
      ),
    ]);
    const broken = join(folder, 'broken.ndjson');
    writeFileSync(broken, 'x');
    const full = ['import', 'recipients', broken, '--from', 'novu', '--refused', '/dev/full'];
    const unwritten = await carillon(full, access);
    expect([unwritten.code, unwritten.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^The file of --refused cannot be written: ENOSPC.*\nStopped at line 1\. Nothing was written\.\n$/,
      ),
    ]);
    const nowhere = await carillon([...full.slice(0, -1), join(folder, 'no-folder/refused.ndjson')], access);
    const noFile = expect.stringMatching(/^The file of --refused cannot be written: ENOENT/);
    expect([nowhere.code, nowhere.stderr]).toEqual([1, noFile]);
    const away = { ...access, CARILLON_URL: 'http://127.0.0.1:59999' };
    expect((await carillon(['import', 'recipients', path, '--from', 'novu'], away)).code).toBe(4);
    expect((await carillon(['import', 'recipients', '/nowhere', '--from', 'novu'], access)).code).toBe(2);
    expect((await carillon(['import', 'recipients', path, '--from', 'braze'], access)).code).toBe(2);
  });
});
