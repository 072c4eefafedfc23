import { Controller, Get, Header, Headers, HttpCode, Ip, Param, Post } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { PlatformKeys, RecipientChoicesStore, RecipientsStore } from '#database';
import { DomainError, effectiveCategory, notFound, readUnsubscription, type Unsubscription } from '#domain';
import { RequestLimit } from '#rate-limit';
import { Public } from '../access/access.js';
import { FailureLimit, sourceOf } from '../access/failure-limit.js';
import { Answers } from '../http/answers.js';
import { RawBody } from '../http/raw-body.js';
import { HTML, linkTokenParam, RecipientPagePolicy } from '../preferences/page-route.js';
import { categoryName } from '../preferences/preference.page.js';
import { PreferenceLinks } from '../preferences/preference-links.js';
import { actionOf } from '../preferences/preference-page.controller.js';
import { pageLanguage } from '../preferences/texts/page-texts.js';
import { type UnsubscribeContent, unsubscribedPage, unsubscribePage } from './unsubscribe.page.js';

/** Requests for one link in a minute. Not limited per address, because many mail clients share one. */
const REQUESTS_PER_LINK = 120;

/**
 * One-click unsubscribe from a category (RFC 8058). POST unsubscribes, without login and idempotently; GET only asks,
 * and shows all other preferences where the profile of the e-mail still exists.
 */
@ApiTags('Consent')
@Controller('unsubscribe')
export class UnsubscribeController {
  private readonly wrongLinks = new FailureLimit('wrong unsubscribe links');
  private readonly requests = new RequestLimit();

  constructor(
    private readonly keys: PlatformKeys,
    private readonly recipients: RecipientsStore,
    private readonly choices: RecipientChoicesStore,
    private readonly links: PreferenceLinks,
  ) {}

  @Get(':token')
  @Public()
  @RecipientPagePolicy
  @Header('Content-Type', HTML)
  @Header('Cache-Control', 'no-store')
  @ApiProduces('text/html')
  @Answers({
    summary: 'Show a page that asks for confirmation and has all preferences',
    status: 200,
    schema: z.string(),
    errors: ['not_found', 'rate_limited'],
  })
  async show(
    @Param({ schema: linkTokenParam }) { token }: { token: string },
    @Headers('accept-language') accepted: string | undefined,
    @Ip() address: string,
  ): Promise<string> {
    const found = this.read(token, address);
    const { content, name } = await this.contentOf(found, accepted);
    const { changeable } = effectiveCategory(content.choices, found.category).channels.email;
    return unsubscribePage({ ...content, category: changeable ? name : null });
  }

  @Post(':token')
  @HttpCode(200)
  @Public()
  @RawBody()
  @RecipientPagePolicy
  @Header('Content-Type', HTML)
  @Header('Cache-Control', 'no-store')
  @ApiProduces('text/html')
  @Answers({
    summary: 'Unsubscribe from the category of the e-mail',
    status: 200,
    schema: z.string(),
    errors: ['not_found', 'rate_limited'],
  })
  async act(
    @Param({ schema: linkTokenParam }) { token }: { token: string },
    @Headers('accept-language') accepted: string | undefined,
    @Ip() address: string,
  ): Promise<string> {
    const found = this.read(token, address);
    const { content, name } = await this.contentOf(found, accepted);
    await this.recipients.leaveCategory(found.tenantId, found.recipientId, found.category);
    // The page shows the choices after this one.
    const choices = (await this.choices.get(found.tenantId, found.recipientId)) ?? content.choices;
    return unsubscribedPage({ ...content, choices, category: name });
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

  /**
   * All preferences are only for the profile that the e-mail was sent to. Throws `not_found` if it was erased. Links
   * without the time of a profile have only the button for their category.
   */
  private async contentOf(
    { tenantId, recipientId, category, profileCreatedAt }: Unsubscription,
    accepted: string | undefined,
  ): Promise<{ content: UnsubscribeContent; name: string }> {
    const choices = await this.choices.get(tenantId, recipientId);
    if (!choices) throw notFound('tenant', tenantId);
    if (profileCreatedAt !== null && choices.profile?.createdAt.getTime() !== profileCreatedAt)
      throw new DomainError('not_found', 'The recipient of this unsubscribe link was erased.');
    const language = pageLanguage(choices.profile?.locale ?? null, accepted);
    const action =
      profileCreatedAt === null ? null : actionOf(this.links.forPage({ tenantId, recipientId, profileCreatedAt }));
    const name = categoryName(effectiveCategory(choices, category), language);
    return { content: { choices, language, action, alsoCategory: category }, name };
  }
}
