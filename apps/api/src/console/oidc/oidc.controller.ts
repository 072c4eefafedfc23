import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Config } from '#config';
import type { AuditNote } from '#database';
import { DomainError } from '#domain';
import { type CarillonRequest, ForConsole } from '../../access/access.js';
import { isSecure, setCookie } from '../../access/session-cookie.js';
import { Audited, CurrentAudit } from '../../audit/audited.js';
import { pagePolicy } from '../../http/browser/page-policy.js';
import { routeConfig } from '../../http/route-config.js';
import { escaped, page } from '../../pages/layout.js';
import { CONFIG } from '../../tokens.js';
import { OidcSignIn, SIGN_IN_COOKIE, SIGN_IN_SECONDS } from './oidc-sign-in.js';

const contentSecurityPolicy = pagePolicy(["style-src 'unsafe-inline'", 'img-src data:']);

/** Browsers come here, to and from the OpenID Connect provider. Failures are pages. */
@ApiExcludeController()
@Controller('console/oidc')
export class OidcController {
  constructor(
    private readonly oidc: OidcSignIn,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get('start')
  @ForConsole()
  @routeConfig({ contentSecurityPolicy })
  async start(@Req() request: CarillonRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.redirected(reply, async () => {
      const { address, cookie } = await this.oidc.start(request, (request.query as { return_to?: unknown }).return_to);
      this.setCookie(request, reply, cookie, SIGN_IN_SECONDS);
      return address;
    });
  }

  @Get('callback')
  @ForConsole()
  @Audited('console.signed_in')
  @routeConfig({ contentSecurityPolicy })
  async callback(
    @Req() request: CarillonRequest,
    @Res() reply: FastifyReply,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    // A sign-in ends once, also when it fails.
    this.setCookie(request, reply, '', 0);
    await this.redirected(reply, () => this.oidc.finish(request, reply, audit));
  }

  private setCookie(request: CarillonRequest, reply: FastifyReply, value: string, maxAgeSeconds: number): void {
    const secure = isSecure(request, this.config.console.url);
    // Lax: the browser comes back from the site of the provider.
    setCookie(reply, SIGN_IN_COOKIE, value, { maxAgeSeconds, sameSite: 'Lax', isSecure: secure });
  }

  /** Redirects to the address, or shows why there is none. */
  private async redirected(reply: FastifyReply, addressOf: () => Promise<string>): Promise<void> {
    reply.header('Cache-Control', 'no-store');
    try {
      const address = await addressOf();
      await reply.status(303).header('Location', address).send();
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.retryAfterSeconds !== undefined)
        reply.header('Retry-After', String(Math.ceil(error.retryAfterSeconds)));
      await reply.status(error.status).type('text/html; charset=utf-8').send(failurePage(error.message));
    }
  }
}

function failurePage(message: string): string {
  const text = `<p role="alert">${escaped(message)}</p>\n<p><a href="/console/">Sign in again</a></p>`;
  return page('Sign-in failed · Carillon', '<h1>Sign-in failed</h1>', `<main><div class="card">${text}</div></main>`);
}
