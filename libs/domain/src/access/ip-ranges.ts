import { BlockList, isIP, SocketAddress } from 'node:net';

interface Range {
  address: string;
  family: 'ipv4' | 'ipv6';
  prefix: number;
}

/**
 * Addresses and CIDR ranges of IPv4 and IPv6. An IPv4-mapped address (`::ffff:192.0.2.1`, as a socket for both families
 * reports it) is the IPv4 address, here and in a range. So no range of IPv6 includes an IPv4 address, not even `::/0`.
 */
export class IpRanges {
  // A list for each family: one BlockList would compare IPv4 addresses with ranges of IPv6 too.
  private readonly lists = { ipv4: new BlockList(), ipv6: new BlockList() };

  /** Throws a TypeError for a text that {@link isIpRange} rejects. */
  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const range = parseRange(text);
      if (!range) throw new TypeError(`not an address or a CIDR range: ${JSON.stringify(text)}`);
      this.lists[range.family].addSubnet(range.address, range.prefix, range.family);
    }
  }

  /** Whether the address is in a range. A zone (`fe80::1%eth0`) is ignored. False for text that is no address. */
  includes(address: string): boolean {
    const parsed = parseAddress(withoutZone(address));
    return parsed !== null && this.lists[parsed.family].check(parsed.address, parsed.family);
  }
}

/** Whether the text is an IPv4 or IPv6 address, which may have a zone. */
export function isIpAddress(text: string): boolean {
  return isIP(withoutZone(text)) !== 0;
}

/** Whether the text is an IPv4 or IPv6 address or a CIDR range. Bits of the address after the prefix are ignored. */
export function isIpRange(text: string): boolean {
  return parseRange(text) !== null;
}

function parseRange(text: string): Range | null {
  const [given, length, ...rest] = text.split('/');
  const parsed = parseAddress(given!);
  if (!parsed || rest.length > 0) return null;
  const most = parsed.family === 'ipv4' ? 32 : 128;
  if (length === undefined) return { address: parsed.address, family: parsed.family, prefix: most };
  if (!/^\d{1,3}$/.test(length)) return null;
  const prefix = Number(length) - (parsed.isMapped ? 96 : 0);
  return prefix >= 0 && prefix <= most ? { address: parsed.address, family: parsed.family, prefix } : null;
}

function parseAddress(text: string): (Omit<Range, 'prefix'> & { isMapped: boolean }) | null {
  const version = text.includes('%') ? 0 : isIP(text);
  if (version === 0) return null;
  if (version === 4) return { address: text, family: 'ipv4', isMapped: false };
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/.exec(address)?.[1];
  return mapped === undefined
    ? { address, family: 'ipv6', isMapped: false }
    : { address: mapped, family: 'ipv4', isMapped: true };
}

/** A zone (`fe80::1%eth0`) names an interface and does not change the range of the address. */
function withoutZone(address: string): string {
  return address.replace(/%.*$/s, '');
}
