import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Config } from '#config';
import { type AuditNote, ConsoleSessionsStore, type KnownSession, type NewSession } from '#database';
import { DomainError } from '#domain';
import { RequestLimit } from '#rate-limit';
import type { RealtimeBus } from '#realtime';
import type { Logger } from '#telemetry';
import { isOnOperatorListener } from '../http/http-listeners.js';
import { BUS, CONFIG, LOGGER } from '../tokens.js';
import type { CarillonRequest } from './access.js';
import { Authenticator } from './authenticator.js';
import type { ConsoleSession } from './console-session.js';
import { FailureLimit, sourceOf } from './failure-limit.js';
import { FreshCache } from './fresh-cache.js';
import { OperatorAccess } from './operator-access.js';
import { checkOrigin, cookieOf, isFromConsole, isSecure, SESSION_COOKIE, setCookie } from './session-cookie.js';

/** How often the time of last use is written. */
const TOUCH_MS = 60_000;
/** Of one API key, of the operator's token, or of one person. */
const SIGN_INS_PER_MINUTE = 120;
const TOKEN_BYTES = 32;
const TOKEN = /^[\w-]{43}$/;

/** The sessions of the console. Their data is at most 4 s old in every process, like that of API keys. */
@Injectable()
export class ConsoleSessions implements OnApplicationBootstrap, OnApplicationShutdown {
  /** By hash of the token. */
  private readonly known: FreshCache<KnownSession>;
  private readonly used = new Set<string>();
  private readonly failures = new FailureLimit('wrong sessions');
  private readonly signIns = new RequestLimit();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: ConsoleSessionsStore,
    private readonly authenticator: Authenticator,
    private readonly operators: OperatorAccess,
    @Inject(BUS) private readonly bus: RealtimeBus,
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.known = new FreshCache({
      read: (hashes) => store.find(hashes),
      tenantOf: ({ tenantId }) => tenantId,
      max: 10_000,
      bus,
      onFault: (error) => logger.warn({ err: error }, 'sessions of the console could not be read again'),
    });
  }

  onApplicationBootstrap(): void {
    this.known.start();
    this.timer = setInterval(() => void this.noteUse(), TOUCH_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    this.known.stop();
    clearInterval(this.timer);
    await this.noteUse();
  }

  /**
   * The session of the request, or null without a valid one. Throws `forbidden` for a page of another origin, and
   * `rate_limited` after too many wrong tokens from the address.
   */
  async of(request: CarillonRequest): Promise<ConsoleSession | null> {
    if (!this.config.console.enabled || !isFromConsole(request)) return null;
    checkOrigin(request, this.config.console.url);
    const token = this.tokenOf(request);
    if (token === undefined) return null;
    const tokenHash = hashOf(token);
    const source = sourceOf(request.ip);
    if (!this.known.has(tokenHash)) this.failures.takeLookup(source);
    const known = TOKEN.test(token) ? await this.known.get(tokenHash) : null;
    if (!known) {
      const refusal = this.failures.count(source, new DomainError('unauthenticated', 'The session has ended.'));
      if (refusal.code === 'rate_limited') throw refusal;
      return null;
    }
    const session = await this.validated(known, request);
    if (session) this.used.add(tokenHash);
    return session;
  }

  /** Creates a session, sets its cookie and ends the session that the request has. Throws `rate_limited`. */
  async begin(
    request: CarillonRequest,
    reply: FastifyReply,
    session: NewSession,
    audit: AuditNote,
  ): Promise<KnownSession> {
    const { granted, resetSeconds } = this.signIns.take(actorOf(session), SIGN_INS_PER_MINUTE);
    if (!granted) throw new DomainError('rate_limited', 'Too many sign-ins.', { retryAfterSeconds: resetSeconds });
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const known = await this.store.create(hashOf(token), session, { ...audit, actor: actorOf(session) });
    await this.endEarlier(this.tokenHashOf(request), audit);
    setCookie(reply, SESSION_COOKIE, token, {
      maxAgeSeconds: Math.ceil((known.expiresAt.getTime() - Date.now()) / 1_000),
      sameSite: 'Strict',
      isSecure: isSecure(request, this.config.console.url),
    });
    return known;
  }

  /** The hash of the token in the cookie, whose session may have ended. Null without a token. */
  tokenHashOf(request: CarillonRequest): string | null {
    const token = this.tokenOf(request);
    return token !== undefined && TOKEN.test(token) ? hashOf(token) : null;
  }

  /** Ends the session that a browser had before it signed in again: no one else knows its token. */
  async endEarlier(tokenHash: string | null, audit: AuditNote): Promise<void> {
    const known = tokenHash && (await this.known.get(tokenHash));
    if (known) await this.end(known, { ...audit, action: 'console.signed_out' });
  }

  /** Ends a session in every process. */
  async end(known: KnownSession, audit: AuditNote): Promise<void> {
    await this.store.end(known, { ...audit, actor: actorOf(known) });
    this.known.invalidateTenant(known.tenantId);
    this.bus.publish([{ kind: 'stale', tenantId: known.tenantId, what: 'tenant' }]);
  }

  /** Whether operators may sign in on the listener of the request. On the other one, their sessions do not count. */
  admitsOperators(request: CarillonRequest): boolean {
    return this.config.internalPort === undefined || isOnOperatorListener(request);
  }

  private tokenOf(request: CarillonRequest): string | undefined {
    return cookieOf(request, SESSION_COOKIE, this.config.console.url);
  }

  private async validated(known: KnownSession, request: CarillonRequest): Promise<ConsoleSession | null> {
    if (known.kind === 'api_key') {
      // The operator's listener has no routes for tenants.
      const key = isOnOperatorListener(request) ? null : await this.authenticator.ofSession(known.keyId);
      return key && { known, key };
    }
    if (!this.admitsOperators(request) || !this.isCredentialCurrent(known)) return null;
    return { known, key: null };
  }

  private isCredentialCurrent({ kind, credentialHash }: KnownSession): boolean {
    if (credentialHash === null) return false;
    if (kind === 'operator_token') return this.operators.isHashOfToken(credentialHash);
    const current = this.oidcHash();
    return current !== null && timingSafeEqual(credentialHash, current);
  }

  /** Sessions of OIDC end when its settings change, such as the values that give a role. Null without OIDC. */
  oidcHash(): Buffer | null {
    const { oidc } = this.config.console;
    if (!oidc) return null;
    const { issuer, clientId, roleClaim, roleValues } = oidc;
    return this.operators.hashOf(JSON.stringify([issuer, clientId, roleClaim, roleValues]));
  }

  private async noteUse(): Promise<void> {
    const used = [...this.used];
    this.used.clear();
    await this.store
      .touch(used)
      .catch((error: unknown) => this.logger.warn({ err: error }, 'the use of sessions could not be recorded'));
  }
}

/** How the audit log names the person or the key of a session. */
export function actorOf(session: NewSession | KnownSession): string {
  if (session.kind === 'api_key') return `key:${session.keyId}`;
  return session.kind === 'oidc' ? `operator:${session.name}` : 'operator';
}

function hashOf(token: string): string {
  return hash('sha256', token, 'base64url');
}
