import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { OperationsStore } from '#database';
import { PLATFORM_TENANT_ID } from '#domain';
import { type CarillonRequest, RequireOperator } from '../http/access.js';
import { Answers } from '../http/answers.js';
import { idParam, listOf, listView, pageQuery } from '../http/schemas.js';
import { ManageProviderAccounts } from '../provider-accounts/manage-provider-accounts.js';
import {
  type AccountBody,
  type AccountPatch,
  accountBody,
  accountPatch,
  accountView,
} from '../provider-accounts/provider-account.schema.js';

/** The platform's own accounts, for tenants without an account for a channel. */
@ApiTags('Operator')
@Controller('internal/provider-accounts')
export class PlatformProviderAccountsController {
  constructor(
    private readonly accounts: ManageProviderAccounts,
    private readonly operations: OperationsStore,
  ) {}

  @Post()
  @RequireOperator()
  @Answers({
    summary: 'Add a platform account',
    status: 201,
    schema: accountView,
    errors: ['validation_failed', 'conflict'],
  })
  async create(
    @Body({ schema: accountBody }) body: AccountBody,
    @Req() request: CarillonRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const account = await this.accounts.create(PLATFORM_TENANT_ID, body);
    await this.audit(request, 'provider_account.created', account.id);
    reply.header('Location', `/internal/provider-accounts/${account.id}`);
    return this.accounts.view(account);
  }

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List platform accounts',
    status: 200,
    schema: listOf(accountView),
    errors: ['validation_failed'],
  })
  async list(@Query({ schema: pageQuery }) page: { limit: number; cursor?: string }) {
    return listView(await this.accounts.list(PLATFORM_TENANT_ID, page), (account) => this.accounts.view(account));
  }

  @Patch(':id')
  @RequireOperator()
  @Answers({
    summary: 'Change a platform account',
    status: 200,
    schema: accountView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async update(
    @Param({ schema: idParam }) { id }: { id: string },
    @Body({ schema: accountPatch }) body: AccountPatch,
    @Req() request: CarillonRequest,
  ) {
    const account = await this.accounts.update(PLATFORM_TENANT_ID, id, body);
    await this.audit(request, 'provider_account.changed', id);
    return this.accounts.view(account);
  }

  @Delete(':id')
  @HttpCode(204)
  @RequireOperator()
  @Answers({ summary: 'Delete a platform account', status: 204, errors: ['not_found'] })
  async delete(@Param({ schema: idParam }) { id }: { id: string }, @Req() request: CarillonRequest): Promise<void> {
    await this.accounts.delete(PLATFORM_TENANT_ID, id);
    await this.audit(request, 'provider_account.removed', id);
  }

  private async audit(request: CarillonRequest, action: string, id: string): Promise<void> {
    await this.operations.audit({ action, detail: { id }, requestId: String(request.id) });
  }
}
