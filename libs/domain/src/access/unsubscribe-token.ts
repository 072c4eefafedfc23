import { createHmac, timingSafeEqual } from 'node:crypto';

/** The recipient and the category that an unsubscribe link belongs to. */
export interface Unsubscription {
  tenantId: string;
  recipientId: string;
  category: string;
  /**
   * When the profile was created, in milliseconds since 1970. Null if there was no profile, and in tokens of earlier
   * versions. After an erasure, a token with another time does not work.
   */
  profileCreatedAt: number | null;
}

/** Half of SHA-256: 128 bits cannot be guessed, and URLs in e-mails should be short. */
const SIGNATURE_BYTES = 16;

/** A signed token for the link in an e-mail. It does not expire, because e-mails do not either. */
export function signUnsubscription(key: Buffer, unsubscription: Unsubscription): string {
  const { tenantId, recipientId, category, profileCreatedAt } = unsubscription;
  const parts = [tenantId, recipientId, category, ...(profileCreatedAt === null ? [] : [profileCreatedAt])];
  const claims = Buffer.from(JSON.stringify(parts)).toString('base64url');
  return `${claims}.${signature(key, claims).toString('base64url')}`;
}

/** The content of a token; null if its signature is not valid. */
export function readUnsubscription(key: Buffer, token: string): Unsubscription | null {
  const [claims, given, ...rest] = token.split('.');
  if (!claims || !given || rest.length > 0) return null;
  const found = Buffer.from(given, 'base64url');
  const expected = signature(key, claims);
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) return null;
  const [tenantId, recipientId, category, profileCreatedAt = null] = JSON.parse(
    Buffer.from(claims, 'base64url').toString(),
  ) as [string, string, string, number?];
  return { tenantId, recipientId, category, profileCreatedAt };
}

function signature(key: Buffer, claims: string): Buffer {
  return createHmac('sha256', key).update(claims).digest().subarray(0, SIGNATURE_BYTES);
}
