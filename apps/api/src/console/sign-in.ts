import { Injectable } from '@nestjs/common';
import { type KnownKey, type NewSession } from '#database';
import { DomainError } from '#domain';
import type { CarillonRequest } from '../access/access.js';
import { Authenticator } from '../access/authenticator.js';
import { checkAddress, checkAllowance, checkTenant } from '../access/authorize-request.js';
import { ConsoleSessions } from '../access/console-sessions.js';
import { OperatorAccess } from '../access/operator-access.js';
import { isOnOperatorListener } from '../http/http-listeners.js';

/** Checks the credential of a sign-in, with the limits that it has on every other route. */
@Injectable()
export class SignIn {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly operators: OperatorAccess,
    private readonly sessions: ConsoleSessions,
  ) {}

  /** Throws `unauthenticated`, `forbidden`, `rate_limited`. */
  async withKey(request: CarillonRequest, text: string): Promise<{ session: NewSession; key: KnownKey }> {
    if (isOnOperatorListener(request))
      throw new DomainError('forbidden', 'API keys cannot be used at the port of the operator. Use the public port.');
    const key = await this.authenticator.authenticate(text, request.ip);
    checkAddress(key, request.ip);
    checkAllowance('API key', await this.authenticator.allowance(key));
    checkTenant(key);
    const { tenantId, keyId, name, expiresAt: credentialExpiresAt } = key;
    return { key, session: { kind: 'api_key', tenantId, keyId, name, credentialExpiresAt, subject: null } };
  }

  /** Throws `unauthenticated`, `forbidden`, `rate_limited`. */
  withToken(request: CarillonRequest, token: string): NewSession {
    this.checkOperatorListener(request);
    this.operators.checkToken(request, token);
    this.operators.takeRequest('operator');
    return {
      kind: 'operator_token',
      role: 'admin',
      name: 'operator',
      credentialHash: this.operators.hashOf(token),
      credentialExpiresAt: null,
      subject: null,
    };
  }

  /** Throws `forbidden` on the public port when there is one for the operator. */
  checkOperatorListener(request: CarillonRequest): void {
    if (!this.sessions.admitsOperators(request))
      throw new DomainError('forbidden', 'Operators sign in at the port of the operator (INTERNAL_PORT).');
  }
}
