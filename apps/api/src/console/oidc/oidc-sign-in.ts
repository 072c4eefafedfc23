import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client';
import type { Config } from '#config';
import { type AuditNote, SecretBox } from '#database';
import { cleanText, DomainError, PLATFORM_TENANT_ID, type Role, roles } from '#domain';
import type { CarillonRequest } from '../../access/access.js';
import { ConsoleSessions } from '../../access/console-sessions.js';
import { FailureLimit, sourceOf } from '../../access/failure-limit.js';
import { cookieOf } from '../../access/session-cookie.js';
import { CONFIG } from '../../tokens.js';
import { SignIn } from '../sign-in.js';
import { type Claims, OidcProvider, type SignInSecrets, valuesOf } from './oidc-provider.js';
import { returnPath } from './return-path.js';

/** Has the state of a sign-in, sealed, in the browser: any process of the API can finish it. */
export const SIGN_IN_COOKIE = 'carillon_oidc';
export const SIGN_IN_SECONDS = 600;
const PLACE = { tenantId: PLATFORM_TENANT_ID, table: 'console_sessions', id: SIGN_IN_COOKIE };

interface Pending extends SignInSecrets {
  returnTo: string;
  /**
   * The hash of the token of the session that the browser has. It does not send its cookie, which is Strict, when it
   * comes back from the site of the provider.
   */
  earlierSession: string | null;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** Signs operators in with OpenID Connect. The person must have a value that gives a role. */
@Injectable()
export class OidcSignIn {
  private readonly failures = new FailureLimit('failed sign-ins');

  constructor(
    private readonly provider: OidcProvider,
    private readonly signIns: SignIn,
    private readonly sessions: ConsoleSessions,
    private readonly box: SecretBox,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Returns the address of the provider, and the value of the cookie. Throws `forbidden`, `unavailable` and others. */
  async start(request: CarillonRequest, returnTo: unknown): Promise<{ address: string; cookie: string }> {
    this.checkPossible(request);
    const secrets = { state: randomState(), nonce: randomNonce(), codeVerifier: randomPKCECodeVerifier() };
    const address = await this.provider.signInAddress(secrets);
    const expiresAt = Date.now() + SIGN_IN_SECONDS * 1_000;
    const earlierSession = this.sessions.tokenHashOf(request);
    const pending: Pending = { ...secrets, returnTo: returnPath(returnTo), earlierSession, expiresAt };
    return { address, cookie: this.box.seal(JSON.stringify(pending), PLACE) };
  }

  /** Begins the session. Returns the path of the console to show. Throws `unauthenticated`, `forbidden` and others. */
  async finish(request: CarillonRequest, reply: FastifyReply, audit: AuditNote): Promise<string> {
    this.checkPossible(request);
    const source = sourceOf(request.ip);
    this.failures.check(source);
    try {
      const pending = this.pendingOf(request);
      const query = request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : '';
      const claims = await this.provider.claimsOf(query, pending);
      await this.begin(request, reply, claims, audit);
      await this.sessions.endEarlier(pending.earlierSession, audit);
      return pending.returnTo;
    } catch (error) {
      const isRefusal = error instanceof DomainError && (error.status === 401 || error.status === 403);
      throw isRefusal ? this.failures.count(source, error) : error;
    }
  }

  private checkPossible(request: CarillonRequest): void {
    if (!this.provider.isConfigured)
      throw new DomainError('not_found', 'OIDC is not configured: OIDC_ISSUER is not set.');
    this.signIns.checkOperatorListener(request);
  }

  private async begin(request: CarillonRequest, reply: FastifyReply, claims: Claims, audit: AuditNote): Promise<void> {
    const { roleClaim, name } = this.provider.settings;
    const role = this.roleOf(claims);
    const person = nameOf(claims);
    if (role === null)
      throw new DomainError(
        'forbidden',
        `${person} may not use the console: ${name} gives no role. Ask your operator for a value of ${roleClaim} ` +
          'that OIDC_VIEWER, OIDC_OPERATOR or OIDC_ADMIN names.',
      );
    const session = {
      kind: 'oidc',
      role,
      name: person,
      credentialHash: this.sessions.oidcHash()!,
      credentialExpiresAt: null,
      subject: cleanText(claims.sub, 255),
    } as const;
    await this.sessions.begin(request, reply, session, audit);
  }

  /** The highest of the person's roles. */
  private roleOf(claims: Claims): Role | null {
    const { roleClaim, roleValues } = this.provider.settings;
    const values = new Set(valuesOf(claims, roleClaim));
    return roles.findLast((role) => roleValues[role].some((value) => values.has(value))) ?? null;
  }

  private pendingOf(request: CarillonRequest): Pending {
    const pending = this.opened(cookieOf(request, SIGN_IN_COOKIE, this.config.console.url));
    if (pending && pending.expiresAt > Date.now()) return pending;
    throw new DomainError(
      'unauthenticated',
      'The sign-in took longer than 10 minutes, or it began in another browser. Begin again.',
    );
  }

  private opened(cookie: string | undefined): Pending | null {
    if (cookie === undefined) return null;
    try {
      return JSON.parse(this.box.open(cookie, PLACE)) as Pending;
    } catch {
      // Changed, or sealed under a master key that is no longer in use.
      return null;
    }
  }
}

/** For the audit log: the address, which people cannot choose at the provider, before other names. */
function nameOf({ email, email_verified: isVerified, preferred_username: username, name, sub }: Claims): string {
  const names = [isVerified === false ? undefined : email, username, name, sub];
  return cleanText(names.find((each) => typeof each === 'string' && each.trim() !== '') ?? sub, 200);
}
