import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ProviderError } from '#domain';
import { EgressGuard, type Resolve } from './egress-guard.js';
import { VendorHttp } from './vendor-http.js';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const resolver =
  (...rounds: string[][]): Resolve =>
  async () => {
    const addresses = rounds.length > 1 ? rounds.shift()! : rounds[0]!;
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };

async function refusal(guard: EgressGuard, url: string): Promise<ProviderError> {
  const http = new VendorHttp(guard);
  open.push(() => http.close());
  const error = await http
    .request({ url, method: 'GET', signal: AbortSignal.timeout(2_000) })
    .catch((caught: unknown) => caught);
  expect(error, url).toBeInstanceOf(ProviderError);
  return error as ProviderError;
}

/** One address of each range that is not public. */
const FORBIDDEN = [
  ...[
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
  ],
  ...[
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '255.255.255.255',
  ],
  ...[
    '::',
    '::1',
    'fe80::1',
    'fc00::1',
    'fd12:3456::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::1',
    '2001:db8::1',
    '3fff::1',
    '100::1',
    '5f00::1',
  ],
  ...['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:a9fe:a9fe'],
];
const PUBLIC = ['1.1.1.1', '172.15.255.255', '172.32.0.1', '192.169.0.1', '2606:4700::1111', '::ffff:1.1.1.1'];

describe('the guard of outgoing requests', () => {
  it.each(FORBIDDEN)('refuses %s, as an address and behind a host name', async (address) => {
    const guard = new EgressGuard([], resolver([address]));
    const literal = address.includes(':') ? `[${address}]` : address;
    for (const url of [`https://${literal}/`, 'https://webhook.example.com/']) {
      const error = await refusal(guard, url);
      expect([error.kind, error.code], url).toEqual(['misconfigured', 'forbidden_address']);
    }
    expect(guard.urlError(`https://${literal}/`)).toContain('private or special');
  });

  it.each(PUBLIC)('accepts %s as public', (address) => {
    expect(() => new EgressGuard([]).check(address, true)).not.toThrow();
  });

  it.each([
    'https://2130706433/', // decimal
    'https://0x7f000001/',
    'https://0177.0.0.1/', // octal
    'https://127.1/', // short
    'https://[::ffff:7f00:1]/',
    'https://127.0.0.1./',
  ])('recognises the address in %s', async (url) => {
    expect((await refusal(new EgressGuard([]), url)).code).toBe('forbidden_address');
  });

  // A client may try the second address when the first does not respond.
  it('refuses a name with one forbidden address among public ones', async () => {
    const guard = new EgressGuard([], resolver(['1.1.1.1', '127.0.0.1']));
    expect((await refusal(guard, 'https://webhook.example.com/')).code).toBe('forbidden_address');
  });

  it('checks the address that is used, not the one that was looked up before (DNS rebinding)', async () => {
    const guard = new EgressGuard([], resolver(['1.1.1.1'], ['127.0.0.1']));
    expect(guard.urlError('https://webhook.example.com/')).toBeNull();
    await new Promise((resolve) => guard.lookup(true)('webhook.example.com', { all: true }, resolve as never));
    expect((await refusal(guard, 'https://webhook.example.com/')).code).toBe('forbidden_address');
  });

  it('connects to the operator’s ranges, over http and on any port, and follows no redirect', async () => {
    const server = createServer((request, response) => {
      if (request.url === '/away')
        response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
      else response.end('here');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => new Promise((resolve) => server.close(resolve)));
    const url = `http://localhost:${(server.address() as AddressInfo).port}`;
    expect((await refusal(new EgressGuard([]), url)).code).toBe('forbidden_address');
    const http = new VendorHttp(new EgressGuard(['127.0.0.0/8'], resolver(['127.0.0.1'])));
    open.push(() => http.close());
    const ask = (path: string) => http.request({ method: 'GET', url: url + path, signal: AbortSignal.timeout(2_000) });
    expect((await ask('/')).text).toBe('here');
    // A redirect is not followed.
    expect((await ask('/away')).status).toBe(302);
  });

  it('uses no proxy of the environment', async () => {
    process.env['HTTPS_PROXY'] = process.env['https_proxy'] = 'http://127.0.0.1:9';
    try {
      expect((await refusal(new EgressGuard([]), 'https://10.0.0.1/')).code).toBe('forbidden_address');
    } finally {
      delete process.env['HTTPS_PROXY'];
      delete process.env['https_proxy'];
    }
  });

  it('requires https on an https port for public addresses', async () => {
    const guard = new EgressGuard([], resolver(['1.1.1.1']));
    for (const url of [
      'http://webhook.example.com/',
      'https://webhook.example.com:22/',
      'http://1.1.1.1/',
      'https://1.1.1.1:8080/',
    ])
      expect((await refusal(guard, url)).message, url).toContain('Only https on port 443 or 8443');
  });

  it.each([
    ['ftp://example.com/', /https/],
    ['nonsense', /https/],
    ['http://example.com/', /https/],
    ['https://user:password@example.com/', /user/],
    ['https://service.internal/', /local name/],
    ['https://printer.local./', /local name/],
    ['https://localhost/', /local name/],
    ['https://example.com:8080/', /port 443 or 8443/],
    ['https://169.254.169.254/latest', /private or special/],
  ])('reports the error of %s when it is saved', (url, words) => {
    expect(new EgressGuard([]).urlError(url)).toMatch(words);
  });

  it.each([
    'https://example.com/hook',
    'https://example.com:8443/',
    'https://bücher.example/',
    'https://example.com./',
  ])('accepts %s', (url) => {
    expect(new EgressGuard([]).urlError(url)).toBeNull();
  });
});
