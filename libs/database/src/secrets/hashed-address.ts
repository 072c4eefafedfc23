import { createHmac } from 'node:crypto';

/** SHA-256 works on blocks of this many bytes. */
const BLOCK = 64;
const [INNER, OUTER] = [0x36, 0x5c];

/**
 * The key as the SQL function carillon_hashed_address() takes it: padded to a block, XOR each of the two pads of HMAC
 * (RFC 2104).
 */
export function hmacPads(key: Buffer): Buffer {
  const padded = Buffer.concat([key], BLOCK);
  return Buffer.concat([INNER, OUTER].map((pad) => padded.map((byte) => byte ^ pad)));
}

/** The same as carillon_hashed_address(): what the suppression list keeps of an address after an erasure. */
export function hashedAddress(key: Buffer, tenantId: string, address: string): string {
  return `hmac:${createHmac('sha256', key).update(`${tenantId} ${address}`).digest('hex')}`;
}
