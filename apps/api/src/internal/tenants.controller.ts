import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { type ApiKey, ApiKeysStore, type AuditNote, type Tenant, TenantsStore } from '#database';
import { hashSecret, newApiKey, notFound, type Scope, scopes, type TenantSettings, tenantSettings } from '#domain';
import type { RealtimeBus } from '#realtime';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { RequireOperator } from '../http/access.js';
import { Answers } from '../http/answers.js';

import { id, idParam, listOf, listView, pageQuery, time } from '../http/schemas.js';
import { API_KEY_PEPPER, BUS } from '../tokens.js';

const name = z.string().min(1).max(200);
const status = z.enum(['active', 'suspended']);

const tenantBody = z.strictObject({ name, settings: tenantSettings.default({}) }).meta({ id: 'TenantBody' });
/** null resets a setting to its default. */
const settingsPatch = z.strictObject(
  Object.fromEntries(
    Object.entries(tenantSettings.shape).map(([key, schema]) => [key, (schema as z.ZodType).nullable()]),
  ),
);
const tenantPatch = z
  .strictObject({ name: name.optional(), status: status.optional(), settings: settingsPatch.optional() })
  .meta({ id: 'TenantPatch' });
const tenantView = z
  .object({ id, name: z.string(), status, settings: tenantSettings, created_at: time, updated_at: time })
  .meta({ id: 'Tenant' });

const keyBody = z
  .strictObject({
    name,
    scopes: z
      .array(z.enum(scopes))
      .min(1)
      .default([...scopes]),
    mode: z.enum(['live', 'test']).default('live'),
    expires_at: time.optional(),
  })
  .meta({ id: 'ApiKeyBody' });
const keyView = z
  .object({
    id,
    tenant_id: id,
    key_id: z.string(),
    name: z.string(),
    mode: z.enum(['live', 'test']),
    scopes: z.array(z.enum(scopes)),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    last_used_at: time.nullable(),
  })
  .meta({ id: 'ApiKey' });
const newKeyView = keyView
  .extend({ api_key: z.string().meta({ description: 'Shown only once' }) })
  .meta({ id: 'NewApiKey' });
const keyParam = z.object({ id, keyId: id });

@ApiTags('Operator')
@Controller('internal/tenants')
export class TenantsController {
  constructor(
    private readonly tenants: TenantsStore,
    private readonly keys: ApiKeysStore,
    @Inject(API_KEY_PEPPER) private readonly pepper: Buffer,
    @Inject(BUS) private readonly bus: RealtimeBus,
  ) {}

  @Post()
  @RequireOperator()
  @Audited('tenant.created')
  @Answers({ summary: 'Create a tenant', status: 201, schema: tenantView, errors: ['validation_failed'] })
  async create(
    @Body({ schema: tenantBody }) body: { name: string; settings: TenantSettings },
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const tenant = await this.tenants.create(body.name, body.settings, audit);
    reply.header('Location', `/internal/tenants/${tenant.id}`);
    return toTenantView(tenant);
  }

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List tenants, newest first',
    status: 200,
    schema: listOf(tenantView),
    errors: ['validation_failed'],
  })
  async list(@Query({ schema: pageQuery }) page: { limit: number; cursor?: string }) {
    return listView(await this.tenants.list(page), toTenantView);
  }

  @Get(':id')
  @RequireOperator()
  @Answers({ summary: 'Get a tenant', status: 200, schema: tenantView, errors: ['not_found'] })
  async get(@Param({ schema: idParam }) { id: tenantId }: { id: string }) {
    return toTenantView(await this.found(tenantId));
  }

  @Patch(':id')
  @RequireOperator()
  @Audited('tenant.changed')
  @Answers({
    summary: 'Change a tenant. Settings are merged',
    status: 200,
    schema: tenantView,
    errors: ['not_found', 'validation_failed'],
  })
  async update(
    @Param({ schema: idParam }) { id: tenantId }: { id: string },
    @Body({ schema: tenantPatch }) body: {
      name?: string;
      status?: Tenant['status'];
      settings?: Record<string, unknown>;
    },
    @CurrentAudit() audit: AuditNote,
  ) {
    const after = await this.tenants.update(tenantId, body, audit);
    if (!after) throw notFound('tenant', tenantId);
    this.bus.publish([{ kind: 'stale', tenantId, what: 'tenant' }]);
    return toTenantView(after);
  }

  @Post(':id/api-keys')
  @RequireOperator()
  @Audited('api_key.created')
  @Answers({
    summary: 'Create an API key',
    status: 201,
    schema: newKeyView,
    errors: ['not_found', 'validation_failed'],
  })
  async createKey(
    @Param({ schema: idParam }) { id: tenantId }: { id: string },
    @Body({ schema: keyBody }) body: { name: string; scopes: Scope[]; mode: 'live' | 'test'; expires_at?: string },
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const made = newApiKey(body.mode);
    const fields = {
      tenantId,
      keyId: made.keyId,
      secretHash: hashSecret(this.pepper, made.secret),
      name: body.name,
      mode: body.mode,
      scopes: body.scopes,
      expiresAt: body.expires_at === undefined ? null : new Date(body.expires_at),
    };
    const key = await this.keys.create(fields, audit);
    if (!key) throw notFound('tenant', tenantId);
    reply.header('Location', `/internal/tenants/${tenantId}/api-keys/${key.id}`).header('Cache-Control', 'no-store');
    return { ...toKeyView(key), api_key: made.text };
  }

  @Get(':id/api-keys')
  @RequireOperator()
  @Answers({
    summary: 'List API keys, newest first',
    status: 200,
    schema: listOf(keyView),
    errors: ['not_found', 'validation_failed'],
  })
  async listKeys(
    @Param({ schema: idParam }) { id: tenantId }: { id: string },
    @Query({ schema: pageQuery }) page: { limit: number; cursor?: string },
  ) {
    await this.found(tenantId);
    return listView(await this.keys.list(tenantId, page), toKeyView);
  }

  @Delete(':id/api-keys/:keyId')
  @HttpCode(204)
  @RequireOperator()
  @Audited('api_key.revoked')
  @Answers({ summary: 'Revoke an API key', status: 204, errors: ['not_found'] })
  async revokeKey(
    @Param({ schema: keyParam }) { id: tenantId, keyId }: { id: string; keyId: string },
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    const revoked = await this.keys.revoke(tenantId, keyId, audit);
    if (!revoked) throw notFound('API key', keyId);
    this.bus.publish([{ kind: 'stale', tenantId, what: 'tenant' }]);
  }

  private async found(tenantId: string): Promise<Tenant> {
    const tenant = await this.tenants.get(tenantId);
    if (!tenant) throw notFound('tenant', tenantId);
    return tenant;
  }
}

function toTenantView(tenant: Tenant) {
  const { createdAt, updatedAt, ...fields } = tenant;
  return { ...fields, created_at: createdAt.toISOString(), updated_at: updatedAt.toISOString() };
}

function toKeyView(key: ApiKey) {
  return {
    id: key.id,
    tenant_id: key.tenantId,
    key_id: key.keyId,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes,
    created_at: key.createdAt.toISOString(),
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  };
}
