import { Controller, Get, Header, Headers, HttpCode, Ip, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiProduces, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { RecipientChoicesStore } from '#database';
import { Public } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { DEFAULT_BODY_LIMITS } from '../http/body-shape.js';
import { RawBody, type RawRequest } from '../http/raw-body.js';
import { LimitedBody } from '../http/route-config.js';
import { escaped } from '../pages/layout.js';
import { HTML, linkTokenParam, PageError, RecipientPagePolicy } from './page-route.js';
import { preferencePage } from './preference.page.js';
import { changesIn, faultsOf, readForm, withChanges, withoutEverything } from './preference-form.js';
import { type OpenedLink, PreferenceLinks } from './preference-links.js';
import { changedQuietForm, hoursIn } from './quiet-hours-form.js';
import { pageOf, recipientPage } from './recipient-page.js';
import { type PageLanguage, pageLanguage } from './texts/page-texts.js';

interface TokenParam {
  token: string;
}

/** The page of 200 categories with long keys. */
const FORM_LIMITS = { ...DEFAULT_BODY_LIMITS, bytes: 128 * 1024 };

/** Links in messages get parameters from tracking services: unknown ones are ignored. */
const pageQuery = z.looseObject({ done: z.unknown().optional() });

/**
 * The preference page of a recipient. The signed token in its address gives access, and no cookie does, so a page of
 * another origin cannot send the form (CSRF).
 */
@ApiTags('Consent')
@Controller('preferences')
export class PreferencePageController {
  constructor(
    private readonly links: PreferenceLinks,
    private readonly choices: RecipientChoicesStore,
  ) {}

  @Get(':token')
  @Public()
  @RecipientPagePolicy
  @Header('Content-Type', HTML)
  @Header('Cache-Control', 'no-store')
  @ApiProduces('text/html')
  @PageError('not_found')
  @Answers({
    summary: 'Show the preference page of a recipient',
    status: 200,
    schema: z.string(),
    errors: ['rate_limited'],
  })
  async show(
    @Param({ schema: linkTokenParam }) { token }: TokenParam,
    @Query({ schema: pageQuery }) { done }: { done?: unknown },
    @Headers('accept-language') accepted: string | undefined,
    @Ip() address: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const opened = await this.links.open(token, address);
    const language = pageLanguage(opened.choices.profile?.locale ?? null, accepted);
    if (opened.isExpired) return expiredPage(opened, language, reply);
    const isKnown = done === 'saved' || done === 'everything';
    return preferencePage({ choices: opened.choices, language, action: actionOf(token), ...(isKnown && { done }) });
  }

  @Post(':token')
  @HttpCode(303)
  @Public()
  @RawBody()
  @LimitedBody(FORM_LIMITS)
  @RecipientPagePolicy
  @Header('Content-Type', HTML)
  @Header('Cache-Control', 'no-store')
  @ApiProduces('text/html')
  @PageError('not_found')
  @PageError('validation_failed')
  @Answers({
    summary: 'Save the form of the preference page, and redirect to the page',
    status: 303,
    schema: z.string(),
    errors: ['rate_limited'],
  })
  async save(
    @Param({ schema: linkTokenParam }) { token }: TokenParam,
    @Headers('accept-language') accepted: string | undefined,
    @Ip() address: string,
    @Req() request: RawRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const opened = await this.links.open(token, address);
    const { link, choices } = opened;
    const language = pageLanguage(choices.profile?.locale ?? null, accepted);
    if (opened.isExpired) return expiredPage(opened, language, reply);
    const body = new URLSearchParams(request.rawBody);
    const redirect = (done: string): string => {
      // Relative, so that it also works where PUBLIC_URL has a path.
      reply.header('Location', `${actionOf(token)}?done=${done}`);
      return '';
    };
    if (body.get('everything') === 'off') {
      await this.choices.change(link, withoutEverything);
      return redirect('everything');
    }
    const form = readForm(body);
    const changes = changesIn(form);
    const faults = faultsOf(choices, changes);
    const quiet = changedQuietForm(body);
    const isQuietFault = quiet !== null && hoursIn(quiet, null) === undefined;
    if (faults.length > 0 || isQuietFault) {
      reply.status(422);
      const rejected = { form, faults, quiet, isQuietFault };
      return preferencePage({ choices, language, action: actionOf(token), rejected });
    }
    if (changes.length > 0 || quiet)
      await this.choices.change(link, (preferences) => ({
        ...withChanges({ ...choices, preferences }, form),
        quietHours: quiet ? (hoursIn(quiet, preferences.quietHours) ?? null) : preferences.quietHours,
      }));
    return redirect('saved');
  }
}

/** Also of the form on the unsubscribe page, which is in a folder beside this one. */
export function actionOf(token: string): string {
  return `../preferences/${encodeURIComponent(token)}`;
}

function expiredPage({ choices }: OpenedLink, language: PageLanguage, reply: FastifyReply): string {
  reply.status(404);
  const { texts } = language;
  return recipientPage(
    pageOf(choices, language),
    texts.expiredTitle,
    `<p class="card" role="status">${escaped(texts.expired)}</p>`,
  );
}
