import { Body, Controller, Get, Put } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type AuditNote, PreferenceRulesStore } from '#database';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { type RulesBody, rulesBody } from './preference.schema.js';

/** Has the scopes of categories, which also apply to all recipients of the tenant. */
@ApiTags('Consent')
@Controller('api/v1/preference-rules')
export class PreferenceRulesController {
  constructor(private readonly rules: PreferenceRulesStore) {}

  @Get()
  @RequireApiKey('categories:read')
  @Answers({ summary: 'Get the default and enforced preferences', status: 200, schema: rulesBody })
  async get(@CurrentCaller() { tenantId }: Caller) {
    return await this.rules.get(tenantId);
  }

  @Put()
  @RequireApiKey('categories:write')
  @Audited('preference_rules.changed')
  @Answers({
    summary: 'Replace the default and enforced preferences',
    status: 200,
    schema: rulesBody,
    errors: ['validation_failed'],
  })
  async put(
    @CurrentCaller() { tenantId }: Caller,
    @Body({ schema: rulesBody }) body: RulesBody,
    @CurrentAudit() audit: AuditNote,
  ) {
    await this.rules.put(tenantId, body, audit);
    return body;
  }
}
