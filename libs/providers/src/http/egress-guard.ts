// Decides which addresses may be connected to. Checks the address of the connection itself, so DNS rebinding has no
// effect. Ranges: IANA special-purpose address registries (RFC 6890 and its successors).

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
  private readonly forbidden = listOf(FORBIDDEN);
  private readonly allowed: BlockList;

  constructor(
    allow: readonly string[],
    private readonly resolve: Resolve = resolveBySystem,
  ) {
    this.allowed = listOf(allow);
  }

  /** Checks a URL when it is saved, without resolving the host. Returns the error, or null. */
  urlError(text: string): string | null {
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol)) return 'must be an https URL';
    if (url.username !== '' || url.password !== '') return 'must not contain a user or password';
    const host = withoutBrackets(url.hostname);
    const isAddress = isIP(host) !== 0;
    if (isAddress && this.isAllowedByOperator(host)) return null;
    if (isAddress && !this.isPublic(host)) return `must not point into a private or special network, got ${host}`;
    if (!isAddress && LOCAL_NAMES.test(host))
      return this.allowsLoopback() ? null : `must not be a local name, got ${host}`;
    if (!isAddress && this.allowsLoopback()) return null;
    if (url.protocol !== 'https:') return 'must be an https URL';
    return HTTPS_PORTS.has(url.port) ? null : `must use port 443 or 8443, got ${url.port}`;
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

  private isAllowedByOperator(address: string): boolean {
    return this.allowed.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  private isPublic(address: string): boolean {
    return !this.forbidden.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  private allowsLoopback(): boolean {
    return this.isAllowedByOperator('127.0.0.1');
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

/** Removes the brackets that an IPv6 address has in a URL. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
