import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { revocationKey } from '#database';
import { DomainError, newId, type Scope } from '#domain';
import { INBOX_TOKEN_KEY } from '../tokens.js';

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

const ALGORITHM = 'HS256';
const AUDIENCE = 'inbox';
const KEY_ID = 'k1';
/** Verified tokens are cached until they expire: checking a signature costs more than reading a page of the inbox. */
const MAX_VERIFIED = 50_000;

/** Recipient tokens: short-lived JWTs (RFC 7519) that give access to one recipient's inbox only. */
@Injectable()
export class InboxTokens {
  /** By digest of the token. */
  private readonly verified = new LRUCache<string, InboxIdentity>({ max: MAX_VERIFIED });

  constructor(@Inject(INBOX_TOKEN_KEY) private readonly key: Buffer) {}

  async mint({ tenantId, recipientId, scopes, ttlSeconds, keyId, revocation }: NewInboxToken): Promise<string> {
    return await new SignJWT({
      tid: tenantId,
      scope: scopes.join(' '),
      ...(keyId !== null && { key: keyId }),
      ...(revocation > 0 && { rev: revocation }),
    })
      .setProtectedHeader({ alg: ALGORITHM, kid: KEY_ID, typ: 'JWT' })
      .setAudience(AUDIENCE)
      .setSubject(recipientId)
      .setJti(newId())
      .setIssuedAt()
      .setExpirationTime(`${ttlSeconds}s`)
      .sign(this.key);
  }

  /** Throws `unauthenticated` unless the token is ours and valid. The algorithm is pinned. */
  async verify(token: string): Promise<InboxIdentity> {
    const digest = hash('sha256', token, 'base64');
    const known = this.verified.get(digest);
    if (known && known.expiresAt.getTime() > Date.now()) return known;
    const identity = await this.check(token);
    this.verified.set(digest, identity);
    return identity;
  }

  private async check(token: string): Promise<InboxIdentity> {
    try {
      const { payload } = await jwtVerify(token, this.key, {
        algorithms: [ALGORITHM],
        audience: AUDIENCE,
        requiredClaims: ['sub', 'jti', 'exp', 'tid'],
      });
      const tenantId = String(payload['tid']);
      const recipientId = payload.sub!;
      return {
        tenantId,
        recipientId,
        scopes: new Set(String(payload['scope'] ?? '').split(' ')),
        jti: payload.jti!,
        expiresAt: new Date(payload.exp! * 1_000),
        keyId: typeof payload['key'] === 'string' ? payload['key'] : null,
        revocation: Number(payload['rev'] ?? 0),
        recipientKey: revocationKey(tenantId, recipientId),
      };
    } catch (error) {
      throw tokenRefused(error);
    }
  }
}

/** One message for every reason. */
export function tokenRefused(cause?: unknown): DomainError {
  return new DomainError('unauthenticated', 'The recipient token is not valid, has expired or was revoked.', { cause });
}
