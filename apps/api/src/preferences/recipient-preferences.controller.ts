import { Body, Controller, Get, Inject, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { Config } from '#config';
import { RecipientChoicesStore } from '#database';
import { effectivePreferences, notFound } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { SkipIdempotency } from '../http/skip-idempotency.js';
import { recipientParam } from '../recipients/recipient.schema.js';
import { CONFIG } from '../tokens.js';
import { effectiveView, linkBody, linkView, toEffectiveView } from './preference.schema.js';
import { PreferenceLinks } from './preference-links.js';

interface IdParam {
  id: string;
}

@ApiTags('Consent')
@Controller('api/v1/recipients')
export class RecipientPreferencesController {
  constructor(
    private readonly choices: RecipientChoicesStore,
    private readonly links: PreferenceLinks,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Get(':id/preferences/effective')
  @RequireApiKey('recipients:read')
  @Answers({
    summary: 'Show what a recipient gets, and which rule decided',
    status: 200,
    schema: effectiveView,
  })
  async effective(@CurrentCaller() { tenantId }: Caller, @Param({ schema: recipientParam }) { id }: IdParam) {
    const choices = await this.choices.get(tenantId, id);
    if (!choices) throw notFound('tenant', tenantId);
    return toEffectiveView(effectivePreferences(choices));
  }

  /** A stored answer would keep the link beyond an erasure. A repeat changes nothing. */
  @Post(':id/preferences-link')
  @SkipIdempotency()
  @RequireApiKey('recipients:write')
  @Answers({
    summary: 'Make a link to the preference page of a recipient',
    status: 201,
    schema: linkView,
    errors: ['not_found', 'validation_failed'],
  })
  async link(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: IdParam,
    @Body({ schema: linkBody }) { ttl_seconds: ttlSeconds }: { ttl_seconds: number },
  ) {
    const profile = (await this.choices.get(tenantId, id))?.profile;
    if (!profile) throw notFound('recipient', id);
    const expiresAt = Math.floor(Date.now() / 1_000) + ttlSeconds;
    const token = this.links.sign({
      tenantId,
      recipientId: id,
      profileCreatedAt: profile.createdAt.getTime(),
      expiresAt,
    });
    const path = `/preferences/${token}`;
    const { publicUrl } = this.config;
    return {
      url: publicUrl === undefined ? null : publicUrl + path,
      path,
      expires_at: new Date(expiresAt * 1_000).toISOString(),
    };
  }
}
