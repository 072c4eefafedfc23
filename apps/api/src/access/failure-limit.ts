import { isIPv6 } from 'node:net';
import { DomainError } from '#domain';
import { RequestLimit } from '#rate-limit';

/** Wrong credentials from one source in a minute. */
const FAILURES_PER_MINUTE = 60;
/** Look-ups per minute and process, shared by all sources that are over their limit. */
const LOOKUPS_PER_MINUTE = 600;

/**
 * Limits wrong credentials per source, and the look-ups in the database that they cause. A correct credential that is
 * known to this process always works, another one as long as look-ups are left.
 */
export class FailureLimit {
  private readonly failures = new RequestLimit();
  private readonly lookups = new RequestLimit();

  /** `failed`: the name of the failures in the message, such as "wrong keys". */
  constructor(private readonly failed: string) {}

  /** Throws `rate_limited` when the source is over its limit. */
  check(source: string): void {
    // 60 a minute are one a second, so the next failure is allowed within a second.
    if (this.isOver(source)) throw this.tooMany(1);
  }

  /** Call before a look-up. Throws `rate_limited` when the source is over its limit and no look-ups are left. */
  takeLookup(source: string): void {
    if (!this.isOver(source)) return;
    const { granted, resetSeconds } = this.lookups.take('all', LOOKUPS_PER_MINUTE);
    if (!granted) throw this.tooMany(resetSeconds);
  }

  /** Counts a failure. Returns the error to throw: `error`, or `rate_limited` beyond the limit. */
  count(source: string, error: DomainError): DomainError {
    const { granted, resetSeconds } = this.failures.take(source, FAILURES_PER_MINUTE);
    return granted ? error : this.tooMany(resetSeconds);
  }

  private isOver(source: string): boolean {
    return !this.failures.allows(source, FAILURES_PER_MINUTE);
  }

  private tooMany(retryAfterSeconds: number): DomainError {
    return new DomainError('rate_limited', `Too many ${this.failed} from this address.`, { retryAfterSeconds });
  }
}

/**
 * The source that an address counts for: the address itself; of IPv6 its network of 64 bits, because one subscriber
 * has all addresses in it (RFC 6177).
 */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  if (!isIPv6(address)) return address;
  const [before = '', after] = address.split('%')[0]!.split('::');
  const groups = before === '' ? [] : before.split(':');
  if (after !== undefined) {
    const last = after === '' ? [] : after.split(':');
    while (groups.length + last.length < 8) groups.push('0');
    groups.push(...last);
  }
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
