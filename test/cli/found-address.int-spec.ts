// The .carillon of the current folder may come from anyone: an address found there gets none of the
// user's credentials. And what a server answers does not control the terminal.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { carillon } from './run-carillon.js';

const SEND = ['send', '-r', 'ann', '-c', 'in_app', '--content', '{"body": "Hi"}'];
// C1 control characters: some terminals take U+009B for the start of an escape sequence.
const CONTROL = 'a\u007fb\u009b31mc';

let home: string;
let server: Server;
let url: string;
let received: { url: string; headers: IncomingHttpHeaders }[];

function writeHome(address: object, demo = {}, secrets = {}): void {
  writeFileSync(join(home, 'api.json'), JSON.stringify(address));
  writeFileSync(join(home, 'demo.json'), JSON.stringify({ apiKey: 'found-key', ...demo }));
  writeFileSync(join(home, 'secrets.json'), JSON.stringify({ adminToken: 'found-token', ...secrets }));
}

beforeAll(async () => {
  home = join(mkdtempSync(join(tmpdir(), 'carillon-found-')), '.carillon');
  mkdirSync(home);
  server = createServer((request, response) => {
    received.push({ url: request.url!, headers: request.headers });
    const refused = request.headers['x-api-key'] !== undefined;
    response.writeHead(refused ? 422 : 200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(refused ? { detail: CONTROL } : { data: [{ id: CONTROL }], next_cursor: null }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  received = [];
});
afterAll(() => {
  server.close();
  rmSync(join(home, '..'), { recursive: true, force: true });
});

describe('an address found under CARILLON_HOME', { timeout: 60_000 }, () => {
  it.each([
    [SEND, { CARILLON_API_KEY: 'own-key' }],
    [[...SEND, '--api-key', 'own-key'], {}],
    [['dlq', 'list'], { CARILLON_ADMIN_TOKEN: 'own-token' }],
    [['dlq', 'list'], { ADMIN_TOKEN: 'own-token' }],
    [['keys', 'list', '--tenant', 't', '--admin-token', 'own-token'], {}],
  ])('is not used with a credential of the user: %j %j', async (args, variables) => {
    writeHome({ url, operatorUrl: url });
    const { code, stderr } = await carillon(args, { CARILLON_HOME: home, ...variables });
    expect([code, stderr, received]).toEqual([
      2,
      expect.stringMatching(/^No address: .*CARILLON_URL or --url.*only to an address that you give/s),
      [],
    ]);
  });

  it('is used with the credentials beside it, and named', async () => {
    writeHome({ url });
    const { stderr } = await carillon(SEND, { CARILLON_HOME: home });
    expect(stderr).toContain(`Uses the Carillon on ${url}, found in ${home}.\n`);
    await carillon(['dlq', 'list'], { CARILLON_HOME: home });
    expect(received.map(({ headers }) => [headers['x-api-key'], headers['x-admin-token']])).toEqual([
      ['found-key', undefined],
      [undefined, 'found-token'],
    ]);
  });

  it.each([
    'http://attacker.invalid',
    'http://127.0.0.1.attacker.invalid',
    'http://127.0.0.1@attacker.invalid',
    'http://2130706433.attacker.invalid',
    'https://[2001:db8::1]',
    'file:///etc/passwd',
    'localhost',
    7,
  ])('is not used if it is not on loopback: %s', async (found) => {
    writeHome({ url: found, operatorUrl: found });
    for (const args of [SEND, ['dlq', 'list']]) {
      const { code, stderr } = await carillon(args, { CARILLON_HOME: home });
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^The address .* is not a loopback address.*--url/)]);
    }
  });

  it('is used without its path and query', async () => {
    writeHome({ url: `${url}/elsewhere?x=` });
    await carillon(SEND, { CARILLON_HOME: home });
    expect(received.map((one) => one.url)).toEqual(['/api/v1/notifications']);
  });
});

describe('a database found under CARILLON_HOME', { timeout: 60_000 }, () => {
  it.each([
    { port: 1, password: 'x@attacker.invalid:5432/db?' },
    { port: '1@attacker.invalid', password: 'found' },
    { port: 1, password: '' },
    { port: 1 },
    'no object',
  ])('is not used with another host, or without a password of its own: %j', async (address) => {
    writeFileSync(join(home, 'postgres.json'), JSON.stringify(address));
    const { code, stderr } = await carillon(['doctor'], { CARILLON_HOME: home, PGPASSWORD: 'own-password' });
    rmSync(join(home, 'postgres.json'));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^\S+postgres\.json has no valid port and password/)]);
  });

  it('is named before it is examined', async () => {
    writeHome({ url }, {}, { masterKey: '01'.repeat(32) });
    writeFileSync(join(home, 'postgres.json'), JSON.stringify({ port: 1, password: 'found-password' }));
    const { code, stderr } = await carillon(['doctor'], { CARILLON_HOME: home });
    rmSync(join(home, 'postgres.json'));
    expect([code, stderr]).toEqual([
      4,
      expect.stringContaining(`Examines the database carillon on 127.0.0.1:1, found in ${home}.\n`),
    ]);
    expect(stderr).not.toContain('found-password');
  });
});

describe('--json', { timeout: 60_000 }, () => {
  const escaped = 'a\\u007fb\\u009b31mc';
  const control = /[\u007f-\u009f]/;

  it.each([
    ['a result', ['dlq', 'list', '--json'], 'stdout'],
    ['an item', ['dlq', 'export', '--json'], 'stdout'],
    ['an error of Carillon', [...SEND, '--json'], 'stderr'],
    ['an error of the command', ['tail', '--url', CONTROL, '--json'], 'stderr'],
    ['an unknown command', [CONTROL, '--json'], 'stderr'],
  ] as const)('escapes control characters in %s', async (_what, args, stream) => {
    writeHome({ url });
    const result = await carillon(args, { CARILLON_HOME: home });
    expect(result[stream]).toContain(escaped);
    expect(result[stream]).not.toMatch(control);
    expect(() => JSON.parse(result[stream]) as unknown).not.toThrow();
  });
});
