import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Config } from '#config';
import { type AuditNote, TenantsStore } from '#database';
import { DomainError } from '#domain';
import { type CarillonRequest, ForConsole } from '../access/access.js';
import type { ConsoleSession } from '../access/console-session.js';
import { ConsoleSessions } from '../access/console-sessions.js';
import { checkOrigin, isSecure, SESSION_COOKIE, setCookie } from '../access/session-cookie.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { CONFIG } from '../tokens.js';
import { anySessionView, type SignInBody, sessionView, signInBody, toSessionView } from './session.schema.js';
import { SignIn } from './sign-in.js';

/** The session of the console. Its cookie counts only with the header X-Carillon-Console: 1. */
@ApiTags('console')
@Controller('console/session')
export class ConsoleController {
  constructor(
    private readonly signIns: SignIn,
    private readonly sessions: ConsoleSessions,
    private readonly tenants: TenantsStore,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get()
  @ForConsole()
  @Answers({ summary: 'Get the session of the console, or how to sign in', status: 200, schema: anySessionView })
  async session(@Req() request: CarillonRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    reply.header('Cache-Control', 'no-store');
    const { consoleSession } = request;
    if (consoleSession && consoleSession.key?.tenantStatus !== 'suspended') return await this.view(consoleSession);
    const operator = this.sessions.admitsOperators(request);
    const { oidc } = this.config.console;
    return { signed_in: false, oidc: operator && oidc ? { name: oidc.name } : null, operator };
  }

  @Post()
  @ForConsole()
  @Audited('console.signed_in')
  @Answers({
    summary: "Sign in to the console with an API key or the operator's token",
    status: 201,
    schema: sessionView,
    errors: ['unauthenticated', 'forbidden', 'rate_limited', 'unavailable'],
  })
  async signIn(
    @Req() request: CarillonRequest,
    @Body({ schema: signInBody }) body: SignInBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    checkOrigin(request, this.config.console.url);
    reply.header('Cache-Control', 'no-store');
    const { session, key } =
      'api_key' in body
        ? await this.signIns.withKey(request, body.api_key)
        : { session: this.signIns.withToken(request, body.operator_token), key: null };
    return await this.view({ known: await this.sessions.begin(request, reply, session, audit), key });
  }

  @Delete()
  @HttpCode(204)
  @ForConsole()
  @Audited('console.signed_out')
  @Answers({
    summary: 'Sign out of the console. Without a session it does nothing',
    status: 204,
    errors: ['forbidden', 'rate_limited', 'unavailable'],
  })
  async signOut(
    @Req() request: CarillonRequest,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const { consoleSession } = request;
    if (consoleSession) await this.sessions.end(consoleSession.known, audit);
    else if (request.headers['x-carillon-console'] !== '1' && this.sessions.tokenHashOf(request) !== null)
      throw new DomainError('forbidden', 'The session counts only with the header X-Carillon-Console: 1.');
    const secure = isSecure(request, this.config.console.url);
    setCookie(reply, SESSION_COOKIE, '', { maxAgeSeconds: 0, sameSite: 'Strict', isSecure: secure });
  }

  private async view(session: ConsoleSession) {
    const tenant = session.key && (await this.tenants.get(session.key.tenantId));
    return toSessionView(session, tenant);
  }
}
