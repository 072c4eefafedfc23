import { Body, Controller, Get, Inject, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { type AuditNote, QuotasStore, type Tenant, TenantsStore } from '#database';
import { notFound, type TenantSettings, tenantSettings } from '#domain';
import type { RealtimeBus } from '#realtime';
import { RequireOperator } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { id, idParam, listOf, listView, pageQuery, time } from '../http/schemas.js';
import { quotaView, toQuotaView } from '../quota/quota.schema.js';
import { BUS } from '../tokens.js';
import { announceTenant, changeable } from './tenant-changes.js';

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
  .object({
    id,
    name: z.string(),
    status,
    settings: tenantSettings,
    test_tenant_id: id.nullable().meta({ description: 'The tenant that owns the data of the test keys' }),
    test_of: id.nullable().meta({ description: 'Only for a test tenant: the tenant that it belongs to' }),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Tenant' });
const tenantWithQuota = tenantView.extend({ quota: quotaView }).meta({ id: 'TenantWithQuota' });

@ApiTags('Operator')
@Controller('internal/tenants')
export class TenantsController {
  constructor(
    private readonly tenants: TenantsStore,
    private readonly quotas: QuotasStore,
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
    summary: 'List tenants without their test tenants, newest first',
    status: 200,
    schema: listOf(tenantView),
    errors: ['validation_failed'],
  })
  async list(@Query({ schema: pageQuery }) page: { limit: number; cursor?: string }) {
    return listView(await this.tenants.list(page), toTenantView);
  }

  @Get(':id')
  @RequireOperator()
  @Answers({ summary: 'Get a tenant or a test tenant', status: 200, schema: tenantWithQuota, errors: ['not_found'] })
  async get(@Param({ schema: idParam }) { id: tenantId }: { id: string }) {
    const tenant = await this.tenants.get(tenantId);
    if (!tenant) throw notFound('tenant', tenantId);
    return { ...toTenantView(tenant), quota: toQuotaView(tenant.settings, await this.quotas.usage(tenantId)) };
  }

  @Patch(':id')
  @RequireOperator()
  @Audited('tenant.changed')
  @Answers({
    summary: 'Change a tenant and its test tenant. Settings are merged',
    status: 200,
    schema: tenantView,
    errors: ['not_found', 'conflict', 'validation_failed'],
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
    changeable(tenantId, await this.tenants.get(tenantId));
    const after = await this.tenants.update(tenantId, body, audit);
    if (!after) throw notFound('tenant', tenantId);
    announceTenant(this.bus, after);
    return toTenantView(after);
  }
}

function toTenantView(tenant: Tenant) {
  const { createdAt, updatedAt, testTenantId, testOf, ...fields } = tenant;
  return {
    ...fields,
    test_tenant_id: testTenantId,
    test_of: testOf,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}
