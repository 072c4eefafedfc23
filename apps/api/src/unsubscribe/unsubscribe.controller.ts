import { Controller, Get, Header, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { CategoriesStore, RecipientsStore } from '#database';
import { notFound, readUnsubscription, type Unsubscription } from '#domain';
import { Public } from '../http/access.js';
import { Answers } from '../http/answers.js';
import { pagePolicy } from '../http/browser/page-policy.js';
import { RawBody } from '../http/raw-body.js';
import { routeConfig } from '../http/route-config.js';
import { UNSUBSCRIBE_KEY } from '../tokens.js';
import { unsubscribedPage, unsubscribePage } from './unsubscribe.page.js';

const tokenParam = z.object({ token: z.string().min(1).max(4_096) });
const HTML = 'text/html; charset=utf-8';
const Page = routeConfig({
  contentSecurityPolicy: pagePolicy(["style-src 'unsafe-inline'", 'img-src data:'], "'self'"),
});

/**
 * One-click unsubscribe from a category (RFC 8058). POST unsubscribes, without login and idempotently; GET only asks.
 */
@ApiTags('Consent')
@Controller('unsubscribe')
export class UnsubscribeController {
  constructor(
    @Inject(UNSUBSCRIBE_KEY) private readonly key: Buffer,
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
    errors: ['not_found'],
  })
  async show(@Param({ schema: tokenParam }) { token }: { token: string }): Promise<string> {
    return unsubscribePage(await this.nameOf(this.read(token)));
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
    errors: ['not_found'],
  })
  async act(@Param({ schema: tokenParam }) { token }: { token: string }): Promise<string> {
    const { tenantId, recipientId, category } = this.read(token);
    await this.recipients.leaveCategory(tenantId, recipientId, category);
    return unsubscribedPage(await this.nameOf({ tenantId, recipientId, category }));
  }

  private read(token: string): Unsubscription {
    const found = readUnsubscription(this.key, token);
    if (!found) throw notFound('unsubscribe link', token);
    return found;
  }

  private async nameOf({ tenantId, category }: Unsubscription): Promise<string> {
    return (await this.categories.get(tenantId, category))?.name ?? category;
  }
}
