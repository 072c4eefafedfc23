import { hash } from 'node:crypto';

/** What a row has of a recipient, as bits. */
export const PROFILE = 1;
export const PREFERENCES = 2;
const PARTS = 3n;

/**
 * The parts that earlier rows had, by recipient: 16 to 32 bytes for each. It keeps 62 bits of a hash, so two of a
 * million ids are confused in one of several million files.
 */
export class SeenRecipients {
  private table = new BigUint64Array(1 << 12);
  private size = 0;

  /** Returns the parts that are noted of the recipient, and notes these too, unless one of them is. */
  note(id: string, parts: number): number {
    const key = keyOf(id);
    const at = this.placeOf(key);
    const known = Number((this.table[at] ?? 0n) & PARTS);
    if ((known & parts) !== 0 || parts === 0) return known;
    if (this.table[at] === 0n) this.size += 1;
    this.table[at] = key | BigInt(known | parts);
    if (this.size * 2 > this.table.length) this.grow();
    return known;
  }

  /** For a row that is refused: a later one of the same recipient may be right. */
  forget(id: string, parts: number): void {
    const at = this.placeOf(keyOf(id));
    if (this.table[at] !== 0n) this.table[at] = this.table[at]! & ~BigInt(parts);
  }

  private placeOf(key: bigint): number {
    const last = this.table.length - 1;
    let at = Number(BigInt.asUintN(32, key >> 2n)) & last;
    while (this.table[at] !== 0n && (this.table[at]! & ~PARTS) !== key) at = (at + 1) & last;
    return at;
  }

  private grow(): void {
    const before = this.table;
    this.table = new BigUint64Array(before.length * 2);
    for (const entry of before) if (entry !== 0n) this.table[this.placeOf(entry & ~PARTS)] = entry;
  }
}

/** Without the bits of the parts, and never zero, which is an empty place. */
function keyOf(id: string): bigint {
  const key = hash('sha256', id, 'buffer').readBigUInt64LE() & ~PARTS;
  return key === 0n ? 4n : key;
}
