import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { PlatformKeys, revocationKey } from '#database';
import { atMost, DomainError, newId, type Scope } from '#domain';

export interface InboxIdentity {
  tenantId: string;
  recipientId: string;
  scopes: ReadonlySet<string>;
  jti: string;
  expiresAt: Date;
  /** The API key that minted the token. Null for tokens of earlier releases. */
  keyId: string | null;
  /** The last revocation of the recipient's tokens when this one was minted, in microseconds since 1970, or 0. */
  revocation: number;
  /** {@link revocationKey} of the recipient. */
  recipientKey: string;
}

/** The claims of a new token. */
export interface NewInboxToken {
  tenantId: string;
  recipientId: string;
  scopes: readonly Scope[];
  ttlSeconds: number;
  keyId: string | null;
  revocation: number;
}

interface VerifiedToken {
  identity: InboxIdentity;
  keyId: string;
}

const ALGORITHM = 'HS256';
const AUDIENCE = 'inbox';
/** Verified tokens are cached until they expire: checking a signature costs more than reading a page of the inbox. */
const MAX_VERIFIED = 50_000;

/**
 * Recipient tokens: short-lived JWTs (RFC 7519) that give access to one recipient's inbox only. The newest key signs;
 * the header names it (`kid`), and a retired key verifies until its tokens have expired.
 */
@Injectable()
export class InboxTokens {
  /** By digest of the token. */
  private readonly verified = new LRUCache<string, VerifiedToken>(atMost(MAX_VERIFIED));

  constructor(private readonly keys: PlatformKeys) {}

  async mint({ tenantId, recipientId, scopes, ttlSeconds, keyId, revocation }: NewInboxToken): Promise<string> {
    const { id, key } = await this.keys.inboxSigningKey();
    return await new SignJWT({
      tid: tenantId,
      scope: scopes.join(' '),
      ...(keyId !== null && { key: keyId }),
      ...(revocation > 0 && { rev: revocation }),
    })
      .setProtectedHeader({ alg: ALGORITHM, kid: id, typ: 'JWT' })
      .setAudience(AUDIENCE)
      .setSubject(recipientId)
      .setJti(newId())
      .setIssuedAt()
      .setExpirationTime(`${ttlSeconds}s`)
      .sign(key);
  }

  /** Throws `unauthenticated` unless the token is ours and valid. The algorithm is pinned. */
  async verify(token: string): Promise<InboxIdentity> {
    const digest = hash('sha256', token, 'base64');
    const known = this.verified.get(digest);
    if (known && known.identity.expiresAt.getTime() > Date.now() && (await this.keys.inboxKey(known.keyId)))
      return known.identity;
    const checked = await this.check(token);
    this.verified.set(digest, checked);
    return checked.identity;
  }

  private async check(token: string): Promise<VerifiedToken> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, ({ kid }) => this.keyOf(kid), {
        algorithms: [ALGORITHM],
        audience: AUDIENCE,
        requiredClaims: ['sub', 'jti', 'exp', 'tid'],
      });
      const tenantId = String(payload['tid']);
      const recipientId = payload.sub!;
      const identity = {
        tenantId,
        recipientId,
        scopes: new Set(String(payload['scope'] ?? '').split(' ')),
        jti: payload.jti!,
        expiresAt: new Date(payload.exp! * 1_000),
        keyId: typeof payload['key'] === 'string' ? payload['key'] : null,
        revocation: Number(payload['rev'] ?? 0),
        recipientKey: revocationKey(tenantId, recipientId),
      };
      return { identity, keyId: protectedHeader.kid! };
    } catch (error) {
      throw tokenRefused(error);
    }
  }

  private async keyOf(keyId: string | undefined): Promise<Buffer> {
    const key = keyId === undefined ? undefined : await this.keys.inboxKey(keyId);
    if (!key) throw new Error(`unknown key id ${JSON.stringify(keyId)}`);
    return key;
  }
}

/** One message for every reason. */
export function tokenRefused(cause?: unknown): DomainError {
  return new DomainError('unauthenticated', 'The recipient token is not valid, has expired or was revoked.', { cause });
}
