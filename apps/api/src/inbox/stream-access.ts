import { Injectable } from '@nestjs/common';
import { Authenticator } from '../access/authenticator.js';
import type { InboxIdentity } from '../access/inbox-tokens.js';
import { RecipientAccess } from '../access/recipient-access.js';
import { type KnownRevocation, TokenRevocations } from '../access/token-revocations.js';

/** The recipient of a stream, and the credential that opened it: a token, or an API key. */
export interface StreamOwner {
  tenantId: string;
  recipientId: string;
  token: InboxIdentity | null;
  keyId: string | null;
  /** When the stream was opened. */
  lastRevocation?: KnownRevocation;
}

/** `revoked`: also a suspended tenant, an erased recipient, and an expired API key. */
export type StreamEnd = 'expired' | 'revoked';

/**
 * Decides whether an open stream may stay open, without waiting. The data is at most 4 s old, also when hints are lost;
 * while the database is unavailable, the last known data decides.
 */
@Injectable()
export class StreamAccess {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly recipientAccess: RecipientAccess,
    private readonly revocations: TokenRevocations,
  ) {}

  /** Call when a stream opens. */
  lastRevocation({ tenantId, recipientId }: StreamOwner): KnownRevocation {
    return this.revocations.lastKnown(tenantId, recipientId);
  }

  /**
   * Streams that an API key opened end at a revocation too: an erasure empties the inbox and numbers its items from 1
   * again, so the tenant must open a new stream.
   */
  endOf({ token, keyId, lastRevocation }: StreamOwner): StreamEnd | null {
    if (token) {
      if (token.expiresAt.getTime() <= Date.now()) return 'expired';
      return this.recipientAccess.hasLostAccess(token) ? 'revoked' : null;
    }
    if (lastRevocation && this.revocations.isKnownAsRevoked(lastRevocation)) return 'revoked';
    const key = keyId === null ? null : this.authenticator.latest(keyId);
    return key === null || key?.tenantStatus === 'suspended' ? 'revoked' : null;
  }
}
