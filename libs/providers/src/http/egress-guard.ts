// Decides which addresses may be connected to. Checks the address of the connection itself, so DNS rebinding has no
// effect.

import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { IpRanges, isIpAddress } from '#domain';

/**
 * All ranges of the IANA registries of special-purpose addresses, as of November 2026
 * (https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry; RFC 6890), and
 * multicast. Ranges that translate or tunnel to IPv4 addresses are refused as a whole: a gateway decides where they
 * lead.
 */
const FORBIDDEN = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
  // AS112 and AMT. They are public, but no vendor is there.
  ...['192.31.196.0/24', '192.52.193.0/24', '192.175.48.0/24', '2620:4f:8000::/48'],
  // Azure's host agent, the only metadata service with a public address. Those of AWS, Google, Oracle, Alibaba and
  // others are in 169.254.0.0/16, 192.0.0.0/24, 100.64.0.0/10 and fc00::/7.
  '168.63.129.16/32',
  // Everything outside 2000::/3, the only range with public addresses: loopback, IPv4-compatible ::/96, IPv4-translated
  // ::ffff:0:0:0/96, NAT64 64:ff9b::/96 and 64:ff9b:1::/48 (RFC 6052, RFC 8215), discard-only 100::/64, dummy
  // 100:0:0:1::/64, segment routing 5f00::/16, unique-local fc00::/7, link-local fe80::/10, site-local fec0::/10,
  // multicast ff00::/8, and what is not assigned yet.
  ...['::/3', '4000::/2', '8000::/1'],
  // IETF protocol assignments: Teredo 2001::/32, benchmarking, ORCHID, anycast addresses of protocols.
  '2001::/23',
  // Documentation, and 6to4.
  ...['2001:db8::/32', '3fff::/20', '2002::/16'],
];
const HTTPS_PORTS = new Set(['', '443', '8443']);
/** RFC 6761, RFC 6762, RFC 8375; ICANN reserves `.internal` for private use, as in `metadata.google.internal`. */
const LOCAL_NAMES = /(^|\.)(internal|local|localhost|localdomain|home\.arpa)\.*$/i;

/** The address may not be connected to. */
export class EgressRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EgressRefused';
  }
}

/** Resolves a host name to all its addresses, like `dns.lookup` with `all`. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

const resolveBySystem: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true, verbatim: true }, (error, found) => (error ? reject(error) : resolve(found)));
  });

/**
 * Allows public addresses over https on port 443 or 8443, and the operator's ranges (`allow`, in CIDR notation) over
 * http or https on any port. Refuses a host name if any of its addresses is forbidden.
 */
export class EgressGuard {
  private readonly forbidden = new IpRanges(FORBIDDEN);
  private readonly allowed: IpRanges;

  constructor(
    allow: readonly string[],
    private readonly resolve: Resolve = resolveBySystem,
  ) {
    this.allowed = new IpRanges(allow);
  }

  /** Checks a URL when it is saved, without resolving the host. Returns the error, or null. */
  urlError(text: string): string | null {
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol)) return 'must be an https URL';
    if (url.username !== '' || url.password !== '') return 'must not contain a user or password';
    const host = withoutBrackets(url.hostname);
    const isAddress = isIP(host) !== 0;
    if (isAddress && this.isAllowedByOperator(host)) return null;
    if (isAddress && !this.isPublic(host)) return 'must not point into a private or special network';
    if (!isAddress && LOCAL_NAMES.test(host)) return this.allowsLoopback() ? null : 'must not be a local name';
    if (!isAddress && this.allowsLoopback()) return null;
    if (url.protocol !== 'https:') return 'must be an https URL';
    return HTTPS_PORTS.has(url.port) ? null : 'must use port 443 or 8443';
  }

  /** Whether a connection may go to any public address; otherwise only to the operator's ranges. */
  allowsPublic(protocol: string, port: string): boolean {
    return protocol === 'https:' && HTTPS_PORTS.has(port);
  }

  /** Throws {@link EgressRefused} for an address that may not be connected to. */
  check(address: string, publicAllowed: boolean): void {
    if (this.isAllowedByOperator(address)) return;
    if (!this.isPublic(address))
      throw new EgressRefused(`The address ${address} is in a private or special network (see EGRESS_ALLOWED_CIDRS)`);
    if (!publicAllowed) throw new EgressRefused('Only https on port 443 or 8443 is used to the public network');
  }

  /** A `lookup` for `net.connect` that returns checked addresses only. */
  lookup(publicAllowed: boolean): LookupFunction {
    return (hostname, options, callback) => {
      this.resolve(hostname).then(
        (found) => {
          try {
            for (const { address } of found) this.check(address, publicAllowed);
          } catch (error) {
            callback(error as Error, '');
            return;
          }
          const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : options.family;
          const matching = family ? found.filter((one) => one.family === family) : found;
          const [first] = matching;
          if (!first)
            callback(
              Object.assign(new Error(`no address for ${hostname}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }),
              '',
            );
          else if (options.all) callback(null, matching);
          else callback(null, first.address, first.family);
        },
        (error: Error) => callback(error, ''),
      );
    };
  }

  /**
   * Opens a TCP connection for a protocol other than HTTP, on any port. Throws {@link EgressRefused} or the error of
   * `net.connect`, and `ETIMEDOUT` after `timeoutMs`.
   */
  async dial(host: string, port: number, timeoutMs: number): Promise<Socket> {
    if (isIP(host) !== 0) this.check(host, true);
    return await new Promise((resolve, reject) => {
      const socket = connect({ host, port, lookup: this.lookup(true), autoSelectFamily: true });
      const timer = setTimeout(() => {
        socket.destroy(
          Object.assign(new Error(`no connection after ${timeoutMs} ms`), { code: 'ETIMEDOUT', syscall: 'connect' }),
        );
      }, timeoutMs);
      socket.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.removeAllListeners('error');
        resolve(socket);
      });
    });
  }

  private isAllowedByOperator(text: string): boolean {
    return this.allowed.includes(text);
  }

  /** False for a text that is not an address, too. */
  private isPublic(text: string): boolean {
    return isIpAddress(text) && !this.forbidden.includes(text);
  }

  private allowsLoopback(): boolean {
    return this.isAllowedByOperator('127.0.0.1');
  }
}

/** Removes the brackets that an IPv6 address has in a URL. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
