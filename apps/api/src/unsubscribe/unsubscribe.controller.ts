import { Controller, Get, Header, HttpCode, Ip, Param, Post } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { CategoriesStore, PlatformKeys, RecipientsStore } from '#database';
import { DomainError, notFound, readUnsubscription, type Unsubscription } from '#domain';
import { RequestLimit } from '#rate-limit';
import { Public } from '../access/access.js';
import { FailureLimit, sourceOf } from '../access/failure-limit.js';
import { Answers } from '../http/answers.js';
import { pagePolicy } from '../http/browser/page-policy.js';
import { RawBody } from '../http/raw-body.js';
import { routeConfig } from '../http/route-config.js';
import { unsubscribedPage, unsubscribePage } from './unsubscribe.page.js';

const tokenParam = z.object({ token: z.string().min(1).max(4_096) });
const HTML = 'text/html; charset=utf-8';
const Page = routeConfig({
  contentSecurityPolicy: pagePolicy(["style-src 'unsafe-inline'", 'img-src data:'], "'self'"),
});
/** Requests for one link in a minute. Not limited per address, because many mail clients share one. */
const REQUESTS_PER_LINK = 120;

/**
 * One-click unsubscribe from a category (RFC 8058). POST unsubscribes, without login and idempotently; GET only asks.
 */
@ApiTags('Consent')
@Controller('unsubscribe')
export class UnsubscribeController {
  private readonly wrongLinks = new FailureLimit('wrong unsubscribe links');
  private readonly requests = new RequestLimit();

  constructor(
    private readonly keys: PlatformKeys,
    private readonly recipients: RecipientsStore,
    private readonly categories: CategoriesStore,
  ) {}

  @Get(':token')
  @Public()
  @Page
  @Header('Content-Type', HTML)
  @Header('Cache-Control', 'no-store')
  @ApiProduces('text/html')
  @Answers({
    summary: 'Show a page that asks for confirmation',
    status: 200,
    schema: z.string(),
    errors: ['not_found', 'rate_limited'],
  })
  async show(@Param({ schema: tokenParam }) { token }: { token: string }, @Ip() address: string): Promise<string> {
    return unsubscribePage(await this.nameOf(this.read(token, address)));
  }

  @Post(':token')
  @HttpCode(200)
  @Public()
  @RawBody()
  @Page
  @Header('Content-Type', HTML)
  @Header('Cache-Control', 'no-store')
  @ApiProduces('text/html')
  @Answers({
    summary: 'Unsubscribe from the category of the e-mail',
    status: 200,
    schema: z.string(),
    errors: ['not_found', 'rate_limited'],
  })
  async act(@Param({ schema: tokenParam }) { token }: { token: string }, @Ip() address: string): Promise<string> {
    const { tenantId, recipientId, category } = this.read(token, address);
    await this.recipients.leaveCategory(tenantId, recipientId, category);
    return unsubscribedPage(await this.nameOf({ tenantId, recipientId, category }));
  }

  /** Throws `not_found`, and `rate_limited` after too many wrong links from an address or requests for one link. */
  private read(token: string, address: string): Unsubscription {
    const found = readUnsubscription(this.keys.unsubscribeKey, token);
    if (!found) throw this.wrongLinks.count(sourceOf(address), notFound('unsubscribe link', token));
    const { tenantId, recipientId, category } = found;
    const { granted, resetSeconds } = this.requests.take(`${tenantId} ${category} ${recipientId}`, REQUESTS_PER_LINK);
    if (!granted)
      throw new DomainError('rate_limited', `This link may be used ${REQUESTS_PER_LINK} times a minute.`, {
        retryAfterSeconds: resetSeconds,
      });
    return found;
  }

  private async nameOf({ tenantId, category }: Unsubscription): Promise<string> {
    return (await this.categories.get(tenantId, category))?.name ?? category;
  }
}
