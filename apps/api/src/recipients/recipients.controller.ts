import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type AuditNote, type Device, ErasuresStore, type RecipientFields, RecipientsStore } from '#database';
import { DomainError, notFound, type Scope } from '#domain';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { RecipientAccess } from '../access/recipient-access.js';
import { TokenRevocations } from '../access/token-revocations.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { IdempotencyInterceptor } from '../http/idempotency.interceptor.js';
import { listOf, listView } from '../http/schemas.js';
import {
  deviceBody,
  deviceParam,
  deviceView,
  erasedView,
  inboxScopes,
  type PreferencesBody,
  preferencesBody,
  type RecipientBody,
  type RecipientQuery,
  recipientBody,
  recipientParam,
  recipientQuery,
  recipientView,
  toDeviceView,
  tokenBody,
  tokenView,
  toPreferences,
  toPreferencesView,
  toRecipientView,
} from './recipient.schema.js';

interface IdParam {
  id: string;
}

@ApiTags('Recipients')
@UseInterceptors(IdempotencyInterceptor)
@Controller('api/v1/recipients')
export class RecipientsController {
  constructor(
    private readonly recipients: RecipientsStore,
    private readonly erasures: ErasuresStore,
    private readonly access: RecipientAccess,
    private readonly revocations: TokenRevocations,
  ) {}

  @Get()
  @RequireApiKey('recipients:read')
  @Answers({
    summary: 'List recipients, by id; all, or those with an address',
    status: 200,
    schema: listOf(recipientView),
    errors: ['validation_failed'],
  })
  async list(
    @CurrentCaller() { tenantId }: Caller,
    @Query({ schema: recipientQuery }) { email, phone, ...page }: RecipientQuery,
  ) {
    return listView(await this.recipients.list(tenantId, { email, phone }, page), toRecipientView);
  }

  @Put(':id')
  @RequireApiKey('recipients:write')
  @Answers({
    summary: 'Create or replace a profile',
    status: 200,
    creates: true,
    schema: recipientView,
    errors: ['validation_failed'],
  })
  async put(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: IdParam,
    @Body({ schema: recipientBody }) body: RecipientBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { recipient, created } = await this.recipients.put(tenantId, id, {
      email: body.email ?? null,
      phone: body.phone ?? null,
      locale: body.locale ?? null,
      timezone: body.timezone ?? null,
      attributes: body.attributes ?? {},
    });
    if (created) reply.status(201).header('Location', `/api/v1/recipients/${encodeURIComponent(id)}`);
    return toRecipientView(recipient);
  }

  @Get(':id')
  @RequireApiKey('recipients:read')
  @Answers({ summary: 'Get a profile', status: 200, schema: recipientView, errors: ['not_found'] })
  async get(@CurrentCaller() { tenantId }: Caller, @Param({ schema: recipientParam }) { id }: IdParam) {
    const found = await this.recipients.get(tenantId, id);
    if (!found) throw notFound('recipient', id);
    return toRecipientView(found);
  }

  @Patch(':id')
  @RequireApiKey('recipients:write')
  @Answers({
    summary: 'Update fields of a profile',
    status: 200,
    schema: recipientView,
    errors: ['not_found', 'validation_failed'],
  })
  async patch(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: IdParam,
    @Body({ schema: recipientBody }) body: RecipientBody,
  ) {
    const { attributes, ...rest } = body;
    const change = {
      ...rest,
      ...(attributes !== undefined && { attributes: attributes ?? {} }),
    } as Partial<RecipientFields>;
    const found = await this.recipients.patch(tenantId, id, change);
    if (!found) throw notFound('recipient', id);
    return toRecipientView(found);
  }

  @Delete(':id')
  @RequireApiKey('recipients:write')
  @Audited('recipient.erased')
  @Answers({ summary: 'Erase a recipient with all their data', status: 200, schema: erasedView, errors: ['not_found'] })
  async erase(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ) {
    // First, and also without any data: a token must not open an empty inbox, and streams end before the items do.
    await this.revocations.revoke(tenantId, id, null);
    const erased = await this.erasures.erase(tenantId, id, audit);
    if (!erased) throw notFound('recipient', id);
    // A stream that was opened meanwhile with a new token remembers the last item number from before the erasure, and
    // would skip new items, which begin at 1.
    await this.revocations.revoke(tenantId, id, null);
    return { id, erased_at: new Date().toISOString(), erased };
  }

  @Get(':id/devices')
  @RequireApiKey('recipients:read')
  @Answers({ summary: 'List devices', status: 200, schema: listOf(deviceView), errors: ['not_found'] })
  async devices(@CurrentCaller() { tenantId }: Caller, @Param({ schema: recipientParam }) { id }: IdParam) {
    const found = await this.recipients.devices(tenantId, id);
    if (!found) throw notFound('recipient', id);
    return listView({ rows: found, nextCursor: null }, toDeviceView);
  }

  @Post(':id/devices')
  @RequireApiKey('recipients:write')
  @Answers({ summary: 'Add a device', status: 201, schema: deviceView, errors: ['not_found', 'validation_failed'] })
  async addDevice(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: IdParam,
    @Body({ schema: deviceBody }) body: Pick<Device, 'token' | 'platform'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const added = await this.recipients.addDevice(tenantId, id, body);
    if (!added) throw notFound('recipient', id);
    reply.header('Location', `/api/v1/recipients/${encodeURIComponent(id)}/devices/${encodeURIComponent(body.token)}`);
    return toDeviceView(added.device);
  }

  @Delete(':id/devices/:token')
  @HttpCode(204)
  @RequireApiKey('recipients:write')
  @Answers({ summary: 'Remove a device', status: 204, errors: ['not_found'] })
  async removeDevice(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: deviceParam }) { id, token }: IdParam & { token: string },
  ): Promise<void> {
    if (!(await this.recipients.removeDevice(tenantId, id, token))) throw notFound('device', token);
  }

  @Get(':id/preferences')
  @RequireApiKey('recipients:read')
  @Answers({ summary: 'Get preferences', status: 200, schema: preferencesBody })
  async preferences(@CurrentCaller() { tenantId }: Caller, @Param({ schema: recipientParam }) { id }: IdParam) {
    return toPreferencesView(await this.recipients.preferences(tenantId, id));
  }

  @Put(':id/preferences')
  @RequireApiKey('recipients:write')
  @Answers({ summary: 'Replace preferences', status: 200, schema: preferencesBody, errors: ['validation_failed'] })
  async putPreferences(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: IdParam,
    @Body({ schema: preferencesBody }) body: PreferencesBody,
  ) {
    await this.recipients.putPreferences(tenantId, id, toPreferences(body));
    return body;
  }

  @Post(':id/inbox-token')
  @RequireApiKey('inbox:write')
  @Answers({
    summary: "Mint a token for a recipient's inbox",
    status: 201,
    schema: tokenView,
    errors: ['validation_failed'],
  })
  async inboxToken(
    @CurrentCaller() { tenantId, keyId, scopes: granted }: Caller,
    @Param({ schema: recipientParam }) { id }: IdParam,
    @Body({ schema: tokenBody }) body: { scopes?: Scope[]; ttl_seconds: number },
  ) {
    const { scopes = inboxScopes.filter((scope) => granted.has(scope)), ttl_seconds: ttlSeconds } = body;
    const missing = scopes.find((scope) => !granted.has(scope));
    if (missing)
      throw new DomainError('forbidden', `This API key lacks the scope ${missing}, so its tokens cannot have it.`);
    const token = await this.access.mint({ tenantId, recipientId: id, scopes, ttlSeconds, keyId });
    return { token, expires_in: ttlSeconds };
  }

  @Post(':id/inbox-token/revoke')
  @HttpCode(204)
  @RequireApiKey('inbox:write')
  @Audited('inbox_token.revoked')
  @Answers({ summary: "Revoke all tokens for a recipient's inbox", status: 204 })
  async revokeTokens(
    @CurrentCaller() { tenantId }: Caller,
    @Param({ schema: recipientParam }) { id }: IdParam,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    await this.revocations.revoke(tenantId, id, audit);
  }
}
