// Property tests: an address has the same answer in every spelling, as a URL, as an address that a name resolves to,
// and as the host of a connection. The ranges are written down again here, and compared by arithmetic.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EgressGuard, EgressRefused } from './egress-guard.js';

interface Range {
  name: string;
  first: bigint;
  last: bigint;
}

const bytesOf = (text: string): bigint[] => text.split('.').map(BigInt);
const ipv4 = (text: string): bigint => bytesOf(text).reduce((all, byte) => (all << 8n) | byte, 0n);
/** Eight groups, without `::`. */
const ipv6 = (text: string): bigint => text.split(':').reduce((all, group) => (all << 16n) | BigInt(`0x${group}`), 0n);

function range(name: string, first: bigint, prefix: number, bits: number): Range {
  return { name, first, last: first | ((1n << BigInt(bits - prefix)) - 1n) };
}
const four = (address: string, prefix: number): Range => range(`${address}/${prefix}`, ipv4(address), prefix, 32);
const six = (name: string, address: string, prefix: number): Range =>
  range(`${name} /${prefix}`, ipv6(address), prefix, 128);

/** https://www.iana.org/assignments/iana-ipv4-special-registry, multicast, and Azure's metadata service. */
const REFUSED_IPV4: readonly Range[] = [
  ...[four('0.0.0.0', 8), four('10.0.0.0', 8), four('100.64.0.0', 10), four('127.0.0.0', 8), four('169.254.0.0', 16)],
  ...[four('172.16.0.0', 12), four('192.0.0.0', 24), four('192.0.2.0', 24), four('192.31.196.0', 24)],
  ...[four('192.52.193.0', 24), four('192.88.99.0', 24), four('192.168.0.0', 16), four('192.175.48.0', 24)],
  ...[four('198.18.0.0', 15), four('198.51.100.0', 24), four('203.0.113.0', 24), four('224.0.0.0', 4)],
  ...[four('240.0.0.0', 4), four('168.63.129.16', 32)],
];

/** https://www.iana.org/assignments/iana-ipv6-special-registry, and the ranges that are not unicast or not assigned. */
const REFUSED_IPV6: readonly Range[] = [
  six('unspecified', '0:0:0:0:0:0:0:0', 128),
  six('loopback', '0:0:0:0:0:0:0:1', 128),
  six('IPv4-compatible', '0:0:0:0:0:0:0:0', 96),
  six('IPv4-translated', '0:0:0:0:ffff:0:0:0', 96),
  six('NAT64', '64:ff9b:0:0:0:0:0:0', 96),
  six('local NAT64', '64:ff9b:1:0:0:0:0:0', 48),
  six('discard-only', '100:0:0:0:0:0:0:0', 64),
  six('dummy', '100:0:0:1:0:0:0:0', 64),
  six('Teredo', '2001:0:0:0:0:0:0:0', 32),
  six('benchmarking', '2001:2:0:0:0:0:0:0', 48),
  six('AMT', '2001:3:0:0:0:0:0:0', 32),
  six('ORCHIDv2', '2001:20:0:0:0:0:0:0', 28),
  six('drone tags', '2001:30:0:0:0:0:0:0', 28),
  six('IETF protocols', '2001:0:0:0:0:0:0:0', 23),
  six('documentation', '2001:db8:0:0:0:0:0:0', 32),
  six('6to4', '2002:0:0:0:0:0:0:0', 16),
  six('AS112', '2620:4f:8000:0:0:0:0:0', 48),
  six('more documentation', '3fff:0:0:0:0:0:0:0', 20),
  six('not assigned', '4000:0:0:0:0:0:0:0', 3),
  six('segment routing', '5f00:0:0:0:0:0:0:0', 16),
  six('unique-local', 'fc00:0:0:0:0:0:0:0', 7),
  six('metadata of AWS', 'fd00:ec2:0:0:0:0:0:254', 128),
  six('link-local', 'fe80:0:0:0:0:0:0:0', 10),
  six('site-local', 'fec0:0:0:0:0:0:0:0', 10),
  six('multicast', 'ff00:0:0:0:0:0:0:0', 8),
];

const isIn = (ranges: readonly Range[], value: bigint): boolean =>
  ranges.some(({ first, last }) => value >= first && value <= last);
const within = ({ first, last }: Range): fc.Arbitrary<bigint> =>
  fc.oneof(fc.constantFrom(first, last), fc.bigInt({ min: first, max: last }));

const GLOBAL_UNICAST = six('global unicast', '2000:0:0:0:0:0:0:0', 3);
const publicIpv4 = fc.bigInt({ min: 0n, max: 0xffff_ffffn }).filter((value) => !isIn(REFUSED_IPV4, value));
const publicIpv6 = within(GLOBAL_UNICAST).filter((value) => !isIn(REFUSED_IPV6, value));

const dotted = (value: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
const groups = (value: bigint): string[] =>
  Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));

const MAPPED = ipv6('0:0:0:0:0:ffff:0:0');

/** How `inet_aton` and the URL standard read numbers. */
const notations = [
  (part: bigint): string => part.toString(),
  (part: bigint): string => `0${part.toString(8)}`,
  (part: bigint): string => `0000${part.toString(8)}`,
  (part: bigint): string => `0x${part.toString(16)}`,
  (part: bigint): string => `0X00${part.toString(16).toUpperCase()}`,
];
const FULL_WIDTH = 0xfee0;
const hostDecorations = [
  (host: string): string => host,
  (host: string): string => `${host}.`,
  (host: string): string => host.replace(/\d/, (digit) => `%${digit.charCodeAt(0).toString(16)}`),
  (host: string): string => host.replace(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + FULL_WIDTH)),
  (host: string): string => host.replaceAll('.', '\u3002'),
];

/** Hosts of a URL: one to four parts, each in its own notation. */
const ipv4Hosts = (value: bigint): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.constantFrom(...notations), { minLength: 4, maxLength: 4 }),
      fc.constantFrom(...hostDecorations),
    )
    .map(([count, chosen, decorate]) => {
      const parts = bytesOf(dotted(value));
      const last = parts.slice(count - 1).reduce((all, byte) => (all << 8n) | byte, 0n);
      return decorate([...parts.slice(0, count - 1), last].map((part, at) => chosen[at]!(part)).join('.'));
    });

/** IPv6 addresses, without brackets. */
const ipv6Texts = (value: bigint): fc.Arbitrary<string> => {
  const all = groups(value);
  const upperHalf = all.slice(0, 6).join(':');
  const texts = [
    all.join(':'),
    all.map((group) => group.padStart(4, '0')).join(':'),
    `${upperHalf}:${dotted(value & 0xffff_ffffn)}`,
    new URL(`http://[${all.join(':')}]`).hostname.slice(1, -1),
  ];
  return fc.tuple(fc.constantFrom(...texts), fc.boolean()).map(([text, upper]) => (upper ? text.toUpperCase() : text));
};
const zones = fc.constantFrom('', '%eth0', '%1', '%25lo', '%');

const resolvingTo = (address: string): EgressGuard =>
  new EgressGuard([], async () => [{ address, family: address.includes(':') ? 6 : 4 }]);

/** The error of a connection to a name that resolves to the address; null if the address would be used. */
const lookupError = (address: string): Promise<Error | null> =>
  new Promise((resolve) =>
    resolvingTo(address).lookup(true)('hook.example.com', { all: true }, (error) => resolve(error)),
  );

const guard = new EgressGuard([]);
const refuses = async (address: string): Promise<void> => {
  expect(() => guard.check(address, true), address).toThrow(EgressRefused);
  expect(await lookupError(address), address).toBeInstanceOf(EgressRefused);
};
const passes = async (address: string): Promise<void> => {
  expect(() => guard.check(address, true), address).not.toThrow();
  expect(await lookupError(address), address).toBeNull();
};
const urlIsRefused = (host: string): void =>
  expect(guard.urlError(`https://${host}/`), host).toContain('private or special');
const urlPasses = (host: string): void => expect(guard.urlError(`https://${host}/`), host).toBeNull();

describe('every spelling of an address', () => {
  it.each(REFUSED_IPV4)('in $name is refused', async (refused) => {
    const spelled = within(refused).chain((value) =>
      fc.tuple(fc.constant(value), ipv4Hosts(value), ipv6Texts(MAPPED | value), zones),
    );
    await fc.assert(
      fc.asyncProperty(spelled, async ([value, host, mapped, zone]) => {
        urlIsRefused(host);
        urlIsRefused(`[${mapped}]`);
        await refuses(dotted(value));
        await refuses(mapped + zone);
      }),
      { numRuns: 50 },
    );
  });

  it.each(REFUSED_IPV6)('in $name is refused', async (refused) => {
    const spelled = within(refused).chain((value) => fc.tuple(ipv6Texts(value), zones));
    await fc.assert(
      fc.asyncProperty(spelled, async ([text, zone]) => {
        urlIsRefused(`[${text}]`);
        await refuses(text + zone);
      }),
      { numRuns: 50 },
    );
  });

  it('of a public IPv4 address passes', async () => {
    const spelled = publicIpv4.chain((value) =>
      fc.tuple(fc.constant(value), ipv4Hosts(value), ipv6Texts(MAPPED | value)),
    );
    await fc.assert(
      fc.asyncProperty(spelled, async ([value, host, mapped]) => {
        urlPasses(host);
        urlPasses(`[${mapped}]`);
        await passes(dotted(value));
        await passes(mapped);
      }),
      { numRuns: 500 },
    );
  });

  it('of a public IPv6 address passes', async () => {
    await fc.assert(
      fc.asyncProperty(publicIpv6.chain(ipv6Texts), async (text) => {
        urlPasses(`[${text}]`);
        await passes(text);
      }),
      { numRuns: 500 },
    );
  });

  it('of any address agrees with the ranges, also next to their borders', async () => {
    const near = fc
      .constantFrom(...REFUSED_IPV6)
      .chain(({ first, last }) => fc.constantFrom(first - 1n, first, last, last + 1n));
    const any = fc.oneof(near, fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })).filter((value) => value >> 128n === 0n);
    const spelled = any.chain((value) => fc.tuple(fc.constant(value), ipv6Texts(value)));
    await fc.assert(
      fc.asyncProperty(spelled, async ([value, text]) => {
        const isMapped = value >> 32n === MAPPED >> 32n;
        const isPublic = isMapped
          ? !isIn(REFUSED_IPV4, value & 0xffff_ffffn)
          : isIn([GLOBAL_UNICAST], value) && !isIn(REFUSED_IPV6, value);
        await (isPublic ? passes(text) : refuses(text));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a public IPv4 address', () => {
  // The gateway decides where such a connection ends (RFC 6052, section 5.1), so the whole range is refused.
  it.each([
    ['NAT64', (value: bigint) => ipv6('64:ff9b:0:0:0:0:0:0') | value],
    ['local NAT64', (value: bigint) => ipv6('64:ff9b:1:0:0:0:0:0') | value],
    ['IPv4-compatible', (value: bigint) => value],
    ['IPv4-translated', (value: bigint) => ipv6('0:0:0:0:ffff:0:0:0') | value],
    ['6to4', (value: bigint) => ipv6('2002:0:0:0:0:0:0:1') | (value << 80n)],
    ['Teredo', (value: bigint) => ipv6('2001:0:0:0:0:0:0:0') | (value ^ 0xffff_ffffn)],
  ])('within %s is refused', async (_name, embed) => {
    await fc.assert(
      fc.asyncProperty(publicIpv4.map(embed).chain(ipv6Texts), async (text) => {
        urlIsRefused(`[${text}]`);
        await refuses(text);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a text that is not an address', () => {
  it.each([
    '',
    'localhost',
    '127.0.0.1.',
    '0177.0.0.1',
    '127.1',
    '2130706433',
    '[::1]',
    '::1%',
    '1.1.1.1:443',
    '::1%lo',
  ])('is refused when a resolver returns it: %j', async (text) => {
    await refuses(text);
  });

  it.each(['::1%lo', '::1%1', 'fe80::1%eth0', '::ffff:127.0.0.1%lo'])('nor is it connected to: %s', async (host) => {
    await expect(guard.dial(host, 25, 1_000)).rejects.toBeInstanceOf(EgressRefused);
  });
});

describe('names of local machines', () => {
  const names = [
    'localhost',
    'a.localhost',
    'metadata.google.internal',
    'printer.local',
    'nas.home.arpa',
    'x.localdomain',
  ];
  const spellings = [
    (name: string): string => name,
    (name: string): string => `${name}.`,
    (name: string): string => name.toUpperCase(),
    (name: string): string => name.replace('l', '\uff4c'),
    (name: string): string => name.replaceAll('.', '\u3002'),
    (name: string): string => name.replace('o', '%6f'),
  ];
  it.each(names.flatMap((name) => spellings.map((spell) => spell(name))))('are refused: %s', (name) => {
    expect(guard.urlError(`https://${name}/`)).toContain('local name');
  });

  it.each(['internal.example.com', 'local.example', 'notlocalhost.com', 'metadata.google.internal.example.com'])(
    'are not those that only contain such a word: %s',
    (name) => {
      expect(guard.urlError(`https://${name}/`)).toBeNull();
    },
  );

  it.each([
    'https://user@1.1.1.1/',
    'https://:password@1.1.1.1/',
    'https://1.1.1.1@10.0.0.1/',
    'https://a%40b@example.com/',
  ])('a user or password is refused: %s', (url) => {
    expect(guard.urlError(url)).toContain('user or password');
  });
});

describe("the operator's ranges", () => {
  it.each([
    ['10.0.0.0/8', ['10.1.2.3', '::ffff:10.1.2.3', '::ffff:a01:203'], ['192.168.0.1', '::a01:203']],
    ['::ffff:10.0.0.0/104', ['10.1.2.3', '::ffff:10.1.2.3'], ['192.168.0.1']],
    ['fd00::/8', ['fd00::1', 'FD12::1', 'fd00::1%eth0'], ['fc00::1', '10.0.0.1', 'fe80::1']],
    ['64:ff9b::/96', ['64:ff9b::8.8.8.8'], ['64:ff9b:1::1', '10.0.0.1']],
    ['::/0', ['::1', 'fe80::1'], ['10.0.0.1', '::ffff:10.0.0.1']],
    ['0.0.0.0/0', ['10.0.0.1', '::ffff:10.0.0.1'], ['::1', '::10.0.0.1']],
  ])('%s', (allowed, inside, outside) => {
    const operator = new EgressGuard([allowed]);
    for (const address of inside) expect(() => operator.check(address, false), address).not.toThrow();
    for (const address of outside) expect(() => operator.check(address, true), address).toThrow(EgressRefused);
  });

  it('that are none are an error', () => {
    expect(() => new EgressGuard(['10.0.0.300/8'])).toThrow('10.0.0.300/8');
  });
});
