import { Body, Controller, Get, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { RecipientsStore } from '#database';
import { type Caller, CurrentCaller, RequireRecipient } from '../access/access.js';
import { Answers } from '../http/answers.js';
import {
  type PreferencesBody,
  preferencesBody,
  toPreferences,
  toPreferencesView,
} from '../recipients/recipient.schema.js';

/** Recipients read and change their own preferences with a recipient token. */
@ApiTags('Consent')
@Controller('api/v1/preferences')
export class OwnPreferencesController {
  constructor(private readonly recipients: RecipientsStore) {}

  @Get()
  @RequireRecipient('preferences:write')
  @Answers({ summary: 'Get the own preferences', status: 200, schema: preferencesBody })
  async get(@CurrentCaller() { tenantId, recipientId }: Caller) {
    return toPreferencesView(await this.recipients.preferences(tenantId, recipientId!));
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
