import { Body, Controller, Get, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { RecipientChoicesStore, RecipientsStore } from '#database';
import { effectivePreferences, notFound } from '#domain';
import { type Caller, CurrentCaller, RequireRecipient } from '../access/access.js';
import { Answers } from '../http/answers.js';
import {
  type PreferencesBody,
  preferencesBody,
  toPreferences,
  toPreferencesView,
} from '../recipients/recipient.schema.js';
import { effectiveView, toEffectiveView } from './preference.schema.js';

/** Recipients read and change their own preferences with a recipient token. */
@ApiTags('Consent')
@Controller('api/v1/preferences')
export class OwnPreferencesController {
  constructor(
    private readonly recipients: RecipientsStore,
    private readonly choices: RecipientChoicesStore,
  ) {}

  @Get()
  @RequireRecipient('preferences:write')
  @Answers({ summary: 'Get the own preferences', status: 200, schema: preferencesBody })
  async get(@CurrentCaller() { tenantId, recipientId }: Caller) {
    return toPreferencesView(await this.recipients.preferences(tenantId, recipientId!));
  }

  @Get('effective')
  @RequireRecipient('preferences:write')
  @Answers({
    summary: 'Show what the own preferences lead to, and what can be changed',
    status: 200,
    schema: effectiveView,
  })
  async effective(@CurrentCaller() { tenantId, recipientId }: Caller) {
    const choices = await this.choices.get(tenantId, recipientId!);
    if (!choices) throw notFound('tenant', tenantId);
    return toEffectiveView(effectivePreferences(choices));
  }

  @Put()
  @RequireRecipient('preferences:write')
  @Answers({
    summary: 'Replace the own preferences',
    status: 200,
    schema: preferencesBody,
    errors: ['validation_failed'],
  })
  async put(
    @CurrentCaller() { tenantId, recipientId }: Caller,
    @Body({ schema: preferencesBody }) body: PreferencesBody,
  ) {
    await this.recipients.putPreferences(tenantId, recipientId!, toPreferences(body));
    return body;
  }
}
