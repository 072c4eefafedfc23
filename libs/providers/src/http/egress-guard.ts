// Where a request may go. Checked when a connection is made, on the address that is then used: a check of the name alone falls to
// a resolver that changes its mind (DNS rebinding). Ranges: IANA special-purpose address registries (RFC 6890 and its successors).

import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { BlockList, connect, isIP, isIPv6, type LookupFunction, type Socket } from 'node:net';

const FORBIDDEN = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
  ...['::/128', '::1/128', 'fe80::/10', 'fc00::/7', 'ff00::/8', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16'],
  ...['2001:db8::/32', '3fff::/20', '100::/64', '5f00::/16'],
];
const HTTPS_PORTS = new Set(['', '443', '8443']);
const LOCAL_NAMES = /(^|\.)(internal|local|localhost)\.?$/i;

/** The address is one that nobody outside may be sent to. */
export class EgressRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EgressRefused';
  }
}

/** Finds the addresses of a name, as `dns.lookup` with `all` does. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

const resolveBySystem: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true, verbatim: true }, (error, found) => (error ? reject(error) : resolve(found)));
  });

/**
 * Public addresses, over https, on port 443 or 8443; and whatever the operator allows (`allow`, in CIDR notation), over http too
 * and on any port. A name with one forbidden address among several is refused as a whole.
 */
export class EgressGuard {
  private readonly forbidden = listOf(FORBIDDEN);
  private readonly allowed: BlockList;

  constructor(
    allow: readonly string[],
    private readonly resolve: Resolve = resolveBySystem,
  ) {
    this.allowed = listOf(allow);
  }

  /** What is wrong with a URL before anything is resolved, or null: for the moment it is registered. */
  urlFault(text: string): string | null {
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol)) return 'must be an https URL';
    if (url.username !== '' || url.password !== '') return 'must not carry a user or password';
    const host = bare(url.hostname);
    const known = isIP(host) !== 0;
    if (known && this.mayBeUsed(host)) return null;
    if (known && !this.isPublic(host)) return `must not point into a private or special network, got ${host}`;
    if (!known && LOCAL_NAMES.test(host)) return this.allowsLoopback() ? null : `must not be a local name, got ${host}`;
    if (!known && this.allowsLoopback()) return null;
    if (url.protocol !== 'https:') return 'must be an https URL';
    return HTTPS_PORTS.has(url.port) ? null : `must use port 443 or 8443, got ${url.port}`;
  }

  /** Whether the connection counts as one to the public: then every public address will do, otherwise only allowed ones. */
  isOpen(protocol: string, port: string): boolean {
    return protocol === 'https:' && HTTPS_PORTS.has(port);
  }

  /** Throws {@link EgressRefused} for an address that may not be connected to. */
  check(address: string, open: boolean): void {
    if (this.mayBeUsed(address)) return;
    if (!this.isPublic(address))
      throw new EgressRefused(`The address ${address} is in a private or special network (see EGRESS_ALLOWED_CIDRS)`);
    if (!open) throw new EgressRefused('Only https on port 443 or 8443 is used to the public network');
  }

  /** A `lookup` for `net.connect` that hands out checked addresses only. */
  lookup(open: boolean): LookupFunction {
    return (hostname, options, callback) => {
      this.resolve(hostname).then(
        (found) => {
          try {
            for (const { address } of found) this.check(address, open);
          } catch (error) {
            callback(error as Error, '');
            return;
          }
          const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : options.family;
          const fitting = family ? found.filter((one) => one.family === family) : found;
          const [first] = fitting;
          if (!first)
            callback(
              Object.assign(new Error(`no address for ${hostname}`), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }),
              '',
            );
          else if (options.all) callback(null, fitting);
          else callback(null, first.address, first.family);
        },
        (error: Error) => callback(error, ''),
      );
    };
  }

  /**
   * A TCP connection to a server that speaks no HTTP, on any port. Throws {@link EgressRefused}, or what `net.connect` says; gives
   * up after `timeoutMs`.
   */
  async dial(host: string, port: number, timeoutMs: number): Promise<Socket> {
    if (isIP(host) !== 0) this.check(host, true);
    return await new Promise((resolve, reject) => {
      const socket = connect({ host, port, lookup: this.lookup(true), autoSelectFamily: true });
      const late = setTimeout(() => {
        socket.destroy(
          Object.assign(new Error(`no connection after ${timeoutMs} ms`), { code: 'ETIMEDOUT', syscall: 'connect' }),
        );
      }, timeoutMs);
      socket.once('error', (error) => {
        clearTimeout(late);
        reject(error);
      });
      socket.once('connect', () => {
        clearTimeout(late);
        socket.removeAllListeners('error');
        resolve(socket);
      });
    });
  }

  private mayBeUsed(address: string): boolean {
    return this.allowed.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  private isPublic(address: string): boolean {
    return !this.forbidden.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  private allowsLoopback(): boolean {
    return this.mayBeUsed('127.0.0.1');
  }
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, prefix] = range.split('/') as [string, string];
    list.addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4');
  }
  return list;
}

/** `[::1]` as it stands in a URL is `::1`. */
function bare(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
