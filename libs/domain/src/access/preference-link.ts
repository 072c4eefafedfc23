import { createHmac, timingSafeEqual } from 'node:crypto';

/** The recipient whose preferences a link shows and changes. */
export interface PreferenceLink {
  tenantId: string;
  recipientId: string;
  /**
   * When the profile was created, in milliseconds since 1970. After an erasure, links that were
   * made before do not work, even if the tenant creates a recipient with the same id.
   */
  profileCreatedAt: number;
  /** Seconds since 1970. */
  expiresAt: number;
}

/** Half of SHA-256: 128 bits cannot be guessed, and URLs in messages should be short. */
const SIGNATURE_BYTES = 16;
/** The key also signs unsubscribe tokens, whose signed text has no colon. */
const PURPOSE = 'preferences:';

export function signPreferenceLink(key: Buffer, link: PreferenceLink): string {
  const { tenantId, recipientId, profileCreatedAt, expiresAt } = link;
  const claims = Buffer.from(JSON.stringify([tenantId, recipientId, profileCreatedAt, expiresAt])).toString(
    'base64url',
  );
  return `${claims}.${signature(key, claims).toString('base64url')}`;
}

/** The content of a token, also of one that has expired; null if its signature is not valid. */
export function readPreferenceLink(key: Buffer, token: string): PreferenceLink | null {
  const [claims, given, ...rest] = token.split('.');
  if (!claims || !given || rest.length > 0) return null;
  const found = Buffer.from(given, 'base64url');
  const expected = signature(key, claims);
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) return null;
  const [tenantId, recipientId, profileCreatedAt, expiresAt] = JSON.parse(
    Buffer.from(claims, 'base64url').toString(),
  ) as [string, string, number, number];
  return { tenantId, recipientId, profileCreatedAt, expiresAt };
}

function signature(key: Buffer, claims: string): Buffer {
  return createHmac('sha256', key)
    .update(PURPOSE + claims)
    .digest()
    .subarray(0, SIGNATURE_BYTES);
}
