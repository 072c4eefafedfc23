import { createHmac, timingSafeEqual } from 'node:crypto';

/** The recipient and the category that an unsubscribe link belongs to. */
export interface Unsubscription {
  tenantId: string;
  recipientId: string;
  category: string;
}

/** Half of SHA-256: 128 bits cannot be guessed, and URLs in e-mails should be short. */
const SIGNATURE_BYTES = 16;

/** A signed token for the link in an e-mail. It does not expire, because e-mails do not either. */
export function signUnsubscription(key: Buffer, { tenantId, recipientId, category }: Unsubscription): string {
  const claims = Buffer.from(JSON.stringify([tenantId, recipientId, category])).toString('base64url');
  return `${claims}.${signature(key, claims).toString('base64url')}`;
}

/** The content of a token; null if its signature is not valid. */
export function readUnsubscription(key: Buffer, token: string): Unsubscription | null {
  const [claims, given, ...rest] = token.split('.');
  if (!claims || !given || rest.length > 0) return null;
  const found = Buffer.from(given, 'base64url');
  const expected = signature(key, claims);
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) return null;
  const [tenantId, recipientId, category] = JSON.parse(Buffer.from(claims, 'base64url').toString()) as [
    string,
    string,
    string,
  ];
  return { tenantId, recipientId, category };
}

function signature(key: Buffer, claims: string): Buffer {
  return createHmac('sha256', key).update(claims).digest().subarray(0, SIGNATURE_BYTES);
}
