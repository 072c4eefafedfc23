import { jwtVerify, SignJWT } from 'jose';
import { DomainError, newId, type Scope } from '#domain';

export interface InboxIdentity {
  tenantId: string;
  recipientId: string;
  scopes: ReadonlySet<string>;
  jti: string;
  expiresAt: Date;
}

const ALGORITHM = 'HS256';
const AUDIENCE = 'inbox';
const KEY_ID = 'k1';

/** Recipient tokens: short-lived JWTs (RFC 7519) that open one recipient's inbox and nothing else. */
export class InboxTokens {
  constructor(private readonly key: Buffer) {}

  async mint(tenantId: string, recipientId: string, scopes: readonly Scope[], ttlSeconds: number): Promise<string> {
    return await new SignJWT({ tid: tenantId, scope: scopes.join(' ') })
      .setProtectedHeader({ alg: ALGORITHM, kid: KEY_ID, typ: 'JWT' })
      .setAudience(AUDIENCE)
      .setSubject(recipientId)
      .setJti(newId())
      .setIssuedAt()
      .setExpirationTime(`${ttlSeconds}s`)
      .sign(this.key);
  }

  /** Throws `unauthenticated` for anything but a good token of ours. The algorithm is pinned. */
  async verify(token: string): Promise<InboxIdentity> {
    try {
      const { payload } = await jwtVerify(token, this.key, {
        algorithms: [ALGORITHM],
        audience: AUDIENCE,
        requiredClaims: ['sub', 'jti', 'exp', 'tid'],
      });
      return {
        tenantId: String(payload['tid']),
        recipientId: payload.sub!,
        scopes: new Set(String(payload['scope'] ?? '').split(' ')),
        jti: payload.jti!,
        expiresAt: new Date(payload.exp! * 1_000),
      };
    } catch (error) {
      throw new DomainError('unauthenticated', 'The recipient token is not valid or has expired.', { cause: error });
    }
  }
}
