// IP addresses and sets of ranges. All spellings of an address are equal here.

import { BlockList, isIP } from 'node:net';

export interface IpAddress {
  family: 'ipv4' | 'ipv6';
  /** In canonical form, without a zone. */
  text: string;
}

const MAPPED_PREFIX_BITS = 96;

/**
 * Parses an address, or returns null. An IPv4-mapped address (`::ffff:10.0.0.1`; RFC 4291, section 2.5.5.2) becomes the
 * IPv4 address that the connection uses. A zone (`fe80::1%eth0`) is removed, because it does not change the range.
 */
export function parseAddress(text: string): IpAddress | null {
  const [address = ''] = text.split('%', 1);
  const version = isIP(address);
  if (version === 0) return null;
  if (version === 4) return { family: 'ipv4', text: address };
  const canonical = URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1);
  if (canonical === undefined) return null;
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return { family: 'ipv6', text: canonical };
  const bytes = [high, low].map((part) => Number.parseInt(part, 16)).flatMap((part) => [part >> 8, part & 0xff]);
  return { family: 'ipv4', text: bytes.join('.') };
}

/** A set of ranges in CIDR notation. */
export class AddressRanges {
  // A list for each family: a list of both would compare IPv4 addresses with IPv6 ranges such as ::/3.
  private readonly lists = { ipv4: new BlockList(), ipv6: new BlockList() };

  /** Throws for a text that is not a range. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [text = '', bits] = range.split('/');
      const address = parseAddress(text);
      if (!address) throw new Error(`${JSON.stringify(range)} is not an address range`);
      const isMapped = address.family === 'ipv4' && isIP(text) === 6;
      const prefix = Number(bits) - (isMapped ? MAPPED_PREFIX_BITS : 0);
      // A range that is wider than all IPv4-mapped addresses holds IPv6 addresses only: IPv4 ranges are named as such.
      if (prefix < 0) this.lists.ipv6.addSubnet(text, Number(bits), 'ipv6');
      else this.lists[address.family].addSubnet(address.text, prefix, address.family);
    }
  }

  has({ family, text }: IpAddress): boolean {
    return this.lists[family].check(text, family);
  }
}
