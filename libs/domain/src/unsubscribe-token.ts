import { createHmac, timingSafeEqual } from 'node:crypto';

/** Who leaves what. */
export interface Unsubscription {
  tenantId: string;
  recipientId: string;
  category: string;
}

/** Half of SHA-256: nobody gets to guess at these for long, and URLs in mails should be short. */
const SIGNATURE_BYTES = 16;

/** A token for the link in a mail: what it does stands in it, signed. It has no end, because mails have none. */
export function signUnsubscription(key: Buffer, { tenantId, recipientId, category }: Unsubscription): string {
  const claims = Buffer.from(JSON.stringify([tenantId, recipientId, category])).toString('base64url');
  return `${claims}.${signature(key, claims).toString('base64url')}`;
}

/** What a token says; null for one that we did not sign. */
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
