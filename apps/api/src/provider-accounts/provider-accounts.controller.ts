import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { AuditNote } from '#database';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { idParam, listOf, listView, pageQuery } from '../http/schemas.js';
import { ManageProviderAccounts } from './manage-provider-accounts.js';
import {
  type AccountBody,
  type AccountPatch,
  accountBody,
  accountPatch,
  accountView,
  providerView,
  verifyView,
} from './provider-account.schema.js';
import { providersView } from './provider-account-view.js';

@ApiTags('Providers')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1')
export class ProviderAccountsController {
  constructor(private readonly accounts: ManageProviderAccounts) {}

  @Get('providers')
  @RequireApiKey('provider_accounts:read')
  @Answers({ summary: 'List providers', status: 200, schema: listOf(providerView) })
  providers() {
    return providersView();
  }

  @Post('provider-accounts')
  @RequireApiKey('provider_accounts:write')
  @Audited('provider_account.created')
  @Answers({
    summary: 'Add a provider account',
    status: 201,
    schema: accountView,
    errors: ['validation_failed', 'conflict'],
  })
  async create(
    @CurrentCaller() { tenantId }: Caller,
    @Body({ schema: accountBody }) body: AccountBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const account = await this.accounts.create(tenantId, body, audit);
    reply.header('Location', `/api/v1/provider-accounts/${account.id}`);
    return this.accounts.view(account);
  }

  @Get('provider-accounts')
  @RequireApiKey('provider_accounts:read')
  @Answers({
    summary: 'List provider accounts',
    status: 200,
    schema: listOf(accountView),
    errors: ['validation_failed'],
  })
  async list(
    @CurrentCaller() { tenantId }: Caller,
    @Query({ schema: pageQuery }) page: { limit: number; cursor?: string },
  ) {
    return listView(await this.accounts.list(tenantId, page), (account) => this.accounts.view(account));
  }

  @Get('provider-accounts/:id')
  @RequireApiKey('provider_accounts:read')
  @Answers({ summary: 'Get a provider account', status: 200, schema: accountView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: { id: string }) {
    return this.accounts.view(await this.accounts.get(tenantId, id));
  }

  @Patch('provider-accounts/:id')
  @RequireApiKey('provider_accounts:write')
  @Audited('provider_account.changed')
  @Answers({
    summary: 'Change a provider account',
    status: 200,
    schema: accountView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async update(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
    @Body({ schema: accountPatch }) body: AccountPatch,
    @CurrentAudit() audit: AuditNote,
  ) {
    return this.accounts.view(await this.accounts.update({ owner: tenantId, id }, body, audit));
  }

  @Delete('provider-accounts/:id')
  @HttpCode(204)
  @RequireApiKey('provider_accounts:write')
  @Audited('provider_account.removed')
  @Answers({ summary: 'Delete a provider account', status: 204, errors: ['not_found'] })
  async delete(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: idParam }) { id }: { id: string },
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    await this.accounts.delete(tenantId, id, audit);
  }

  @Post('provider-accounts/:id/verify')
  @HttpCode(200)
  @RequireApiKey('provider_accounts:write')
  @Answers({
    summary: 'Ask the vendor whether it accepts the credentials',
    status: 200,
    schema: verifyView,
    errors: ['not_found'],
  })
  async verify(@CurrentCaller() { tenantId }: Caller, @Param({ schema: idParam }) { id }: { id: string }) {
    return await this.accounts.verify(tenantId, id);
  }
}
