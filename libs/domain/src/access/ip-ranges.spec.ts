import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IpRanges, isIpRange } from './ip-ranges.js';

const bits = (text: string, size: 8 | 16): bigint =>
  text
    .split(size === 8 ? '.' : ':')
    .reduce((sum, part) => (sum << BigInt(size)) | BigInt(size === 8 ? part : `0x${part}`), 0n);

const ipv4 = fc.tuple(...Array.from({ length: 4 }, () => fc.nat(255))).map((parts) => parts.join('.'));
/** Eight full groups, often zero, so that there are runs to shorten. */
const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
const full = (parts: readonly number[]): string => parts.map((part) => part.toString(16)).join(':');
const isMapped = (parts: readonly number[]): boolean =>
  parts.slice(0, 5).every((part) => part === 0) && parts[5] === 0xffff;

/** Other spellings of an IPv6 address: padded, upper case, a run of zeros shortened, the end as IPv4. */
function spellings(parts: readonly number[]): string[] {
  const padded = parts.map((part) => part.toString(16).padStart(4, '0')).join(':');
  const dotted = `${full(parts.slice(0, 6))}:${[parts[6]! >> 8, parts[6]! & 255, parts[7]! >> 8, parts[7]! & 255].join('.')}`;
  const shortened = full(parts).replace(/(^|:)0(:0)+(:|$)/, '::');
  return [full(parts), padded, padded.toUpperCase(), dotted, shortened];
}

/** Spellings of an IPv4 address in IPv6. */
function mappedSpellings(text: string): string[] {
  const [a, b, c, d] = text.split('.').map(Number) as [number, number, number, number];
  const parts = [0, 0, 0, 0, 0, 0xffff, (a << 8) | b, (c << 8) | d];
  return [`::ffff:${text}`, `::FFFF:${text}`, ...spellings(parts)];
}

/** An address that is often in the range of the other: some of the first bits are the same. */
const flipped = (value: bigint, width: number, flip: number): bigint =>
  value ^ (1n << BigInt(width - 1 - (flip % width)));
const toIpv4 = (value: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
const toParts = (value: bigint): number[] =>
  Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));

describe('ranges of addresses', () => {
  it('of IPv4 include the same addresses in every spelling, mapped or not', () => {
    fc.assert(
      fc.property(ipv4, fc.nat(32), fc.nat(31), fc.boolean(), (address, prefix, flip, isSame) => {
        const other = isSame ? address : toIpv4(flipped(bits(address, 8), 32, flip));
        const shift = BigInt(32 - prefix);
        const expected = bits(address, 8) >> shift === bits(other, 8) >> shift;
        const ranges = [`${address}/${prefix}`, ...mappedSpellings(address).map((text) => `${text}/${96 + prefix}`)];
        for (const range of ranges)
          for (const spelling of [other, ...mappedSpellings(other)])
            expect([range, spelling, new IpRanges([range]).includes(spelling)]).toEqual([range, spelling, expected]);
      }),
      { numRuns: 300 },
    );
  });

  it('of IPv6 include the same addresses in every spelling, and no address of IPv4', () => {
    fc.assert(
      fc.property(groups, fc.nat(128), fc.nat(127), fc.boolean(), ipv4, (parts, prefix, flip, isSame, v4) => {
        const value = bits(full(parts), 16);
        const other = isSame ? parts : toParts(flipped(value, 128, flip));
        fc.pre(!isMapped(parts) && !isMapped(other));
        const shift = BigInt(128 - prefix);
        const expected = value >> shift === bits(full(other), 16) >> shift;
        for (const range of spellings(parts).map((text) => `${text}/${prefix}`)) {
          const list = new IpRanges([range]);
          for (const spelling of spellings(other))
            expect([range, spelling, list.includes(spelling)]).toEqual([range, spelling, expected]);
          for (const spelling of [v4, ...mappedSpellings(v4)])
            expect([range, spelling, list.includes(spelling)]).toEqual([range, spelling, false]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are addresses or CIDR ranges, and nothing else', () => {
    for (const text of [
      '192.0.2.1',
      '192.0.2.0/24',
      '0.0.0.0/0',
      '::/0',
      '2001:db8::1',
      '2001:DB8::/32',
      '::ffff:192.0.2.0/120',
    ])
      expect([text, isIpRange(text)]).toEqual([text, true]);
    const wrong = [
      '',
      'localhost',
      '192.0.2',
      '192.0.2.256',
      '010.0.0.1',
      '0x7f.1',
      '192.0.2.0/33',
      '192.0.2.0/-1',
      '192.0.2.0/',
    ];
    for (const text of [
      ...wrong,
      '192.0.2.0/8/8',
      '192.0.2.0/+8',
      '192.0.2.0/ 8',
      ' 192.0.2.1',
      '::/129',
      ':::',
      'fe80::1%eth0',
      '::ffff:192.0.2.0/95',
    ])
      expect([text, isIpRange(text)]).toEqual([text, false]);
    expect(() => new IpRanges(['nowhere'])).toThrow('not an address or a CIDR range: "nowhere"');
  });

  it('include an address alone, an address with a zone, and never a text that is no address', () => {
    const list = new IpRanges(['192.0.2.1', 'fe80::/10']);
    expect(['192.0.2.1', '192.0.2.2', 'fe80::1%eth0', 'kafka', ''].map((address) => list.includes(address))).toEqual([
      true,
      false,
      true,
      false,
      false,
    ]);
  });
});
