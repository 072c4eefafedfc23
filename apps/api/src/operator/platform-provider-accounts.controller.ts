import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type AuditNote, type ProviderAccount, TenantsStore } from '#database';
import { PLATFORM_TENANT_ID, validationFailed } from '#domain';
import { RequireOperator } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { withValue } from '../http/request-schema.pipe.js';
import { idParam, listOf, listView, pageQuery } from '../http/schemas.js';
import { ManageProviderAccounts } from '../provider-accounts/manage-provider-accounts.js';
import { providerView, verifyView } from '../provider-accounts/provider-account.schema.js';
import { providersView } from '../provider-accounts/provider-account-view.js';
import {
  type PlatformAccountBody,
  type PlatformAccountPatch,
  platformAccountBody,
  platformAccountPatch,
  platformAccountView,
  toAllowances,
  toAllowancesView,
} from './platform-account.schema.js';

/** The platform's own accounts, for tenants without an account for a channel. */
@ApiTags('Operator')
@Controller('internal/provider-accounts')
export class PlatformProviderAccountsController {
  constructor(
    private readonly accounts: ManageProviderAccounts,
    private readonly tenants: TenantsStore,
  ) {}

  @Post()
  @RequireOperator()
  @Audited('provider_account.created')
  @Answers({
    summary: 'Add a platform account',
    status: 201,
    schema: platformAccountView,
    errors: ['validation_failed', 'conflict'],
  })
  async create(
    @Body({ schema: platformAccountBody }) body: PlatformAccountBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.checkTenants(body);
    const account = await this.accounts.create(PLATFORM_TENANT_ID, body, audit, toAllowances(body));
    reply.header('Location', `/internal/provider-accounts/${account.id}`);
    return this.view(account);
  }

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List platform accounts',
    status: 200,
    schema: listOf(platformAccountView),
    errors: ['validation_failed'],
  })
  async list(@Query({ schema: pageQuery }) page: { limit: number; cursor?: string }) {
    return listView(await this.accounts.list(PLATFORM_TENANT_ID, page), (account) => this.view(account));
  }

  @Get('providers')
  @RequireOperator()
  @Answers({ summary: 'List providers, for platform accounts', status: 200, schema: listOf(providerView) })
  providers() {
    return providersView();
  }

  @Get(':id')
  @RequireOperator()
  @Answers({ summary: 'Get a platform account', status: 200, schema: platformAccountView, errors: ['not_found'] })
  async get(@Param({ schema: idParam }) { id }: { id: string }) {
    return this.view(await this.accounts.get(PLATFORM_TENANT_ID, id));
  }

  @Patch(':id')
  @RequireOperator()
  @Audited('provider_account.changed')
  @Answers({
    summary: 'Change a platform account',
    status: 200,
    schema: platformAccountView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async update(
    @Param({ schema: idParam }) { id }: { id: string },
    @Body({ schema: platformAccountPatch }) body: PlatformAccountPatch,
    @CurrentAudit() audit: AuditNote,
  ) {
    await this.checkTenants(body);
    const place = { owner: PLATFORM_TENANT_ID, id };
    return this.view(await this.accounts.update(place, body, audit, toAllowances(body)));
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireOperator()
  @Audited('provider_account.removed')
  @Answers({ summary: 'Delete a platform account', status: 204, errors: ['not_found'] })
  async delete(@Param({ schema: idParam }) { id }: { id: string }, @CurrentAudit() audit: AuditNote): Promise<void> {
    await this.accounts.delete(PLATFORM_TENANT_ID, id, audit);
  }

  @Post(':id/verify')
  @HttpCode(200)
  @RequireOperator()
  @Answers({
    summary: 'Ask the vendor whether it accepts the credentials of a platform account',
    status: 200,
    schema: verifyView,
    errors: ['not_found'],
  })
  async verify(@Param({ schema: idParam }) { id }: { id: string }) {
    return await this.accounts.verify(PLATFORM_TENANT_ID, id);
  }

  private view(account: ProviderAccount) {
    return { ...this.accounts.view(account), ...toAllowancesView(account) };
  }

  /** Throws `validation_failed` for each id that is not a tenant. */
  private async checkTenants({ allowed_tenants: ids }: PlatformAccountPatch): Promise<void> {
    if (!ids) return;
    const missing = await this.tenants.missing(ids);
    const errors = missing.map((id) => ({
      pointer: `/allowed_tenants/${ids.indexOf(id)}`,
      code: 'unknown_tenant',
      message: withValue('must be the id of a tenant', id),
    }));
    if (errors.length > 0) throw validationFailed(errors);
  }
}
