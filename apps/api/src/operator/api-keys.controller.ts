import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  type ApiKey,
  ApiKeysStore,
  type AuditNote,
  type KeyHash,
  PlatformKeys,
  type Tenant,
  TenantsStore,
} from '#database';
import { apiKeyText, hashSecret, newKeyParts, notFound } from '#domain';
import type { RealtimeBus } from '#realtime';
import { RequireOperator } from '../access/access.js';
import { Audited, CurrentAudit } from '../audit/audited.js';
import { Answers } from '../http/answers.js';
import { idParam, listOf, listView, pageQuery } from '../http/schemas.js';
import { BUS } from '../tokens.js';
import {
  type KeyBody,
  keyBody,
  keyParam,
  keyView,
  newKeyView,
  type RotationBody,
  rotationBody,
  toKeyView,
} from './api-key.schema.js';
import { announceTenant, changeable } from './tenant-changes.js';

type KeyParts = ReturnType<typeof newKeyParts>;

interface KeyParam {
  id: string;
  keyId: string;
}

/** Live and test keys of a tenant. */
@ApiTags('Operator')
@Controller('internal/tenants/:id/api-keys')
export class ApiKeysController {
  constructor(
    private readonly tenants: TenantsStore,
    private readonly keys: ApiKeysStore,
    private readonly platformKeys: PlatformKeys,
    @Inject(BUS) private readonly bus: RealtimeBus,
  ) {}

  @Post()
  @RequireOperator()
  @Audited('api_key.created')
  @Answers({
    summary: 'Create an API key',
    status: 201,
    schema: newKeyView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async create(
    @Param({ schema: idParam }) { id: tenantId }: { id: string },
    @Body({ schema: keyBody }) body: KeyBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    await this.tenant(tenantId);
    const made = newKeyParts();
    const { name, mode, scopes, allowed_ips: allowedIps = [] } = body;
    const expiresAt = dateOf(body.expires_at);
    const fields = { ...this.hashOf(made), tenantId, name, mode, scopes, allowedIps, expiresAt };
    const key = await this.keys.create(fields, audit);
    if (!key) throw notFound('tenant', tenantId);
    return shownOnce(key, made, reply);
  }

  @Get()
  @RequireOperator()
  @Answers({
    summary: 'List API keys, newest first',
    status: 200,
    schema: listOf(keyView),
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async list(
    @Param({ schema: idParam }) { id: tenantId }: { id: string },
    @Query({ schema: pageQuery }) page: { limit: number; cursor?: string },
  ) {
    await this.tenant(tenantId);
    return listView(await this.keys.list(tenantId, page), toKeyView);
  }

  @Delete(':keyId')
  @HttpCode(204)
  @RequireOperator()
  @Audited('api_key.revoked')
  @Answers({ summary: 'Revoke an API key', status: 204, errors: ['not_found', 'conflict'] })
  async revoke(
    @Param({ schema: keyParam }) { id: tenantId, keyId }: KeyParam,
    @CurrentAudit() audit: AuditNote,
  ): Promise<void> {
    const tenant = await this.tenant(tenantId);
    const revoked = await this.keys.revoke(tenantId, keyId, audit);
    if (!revoked) throw notFound('API key', keyId);
    announceTenant(this.bus, tenant);
  }

  @Post(':keyId/rotate')
  @RequireOperator()
  @Audited('api_key.rotated')
  @Answers({
    summary: 'Replace an API key by a new one with its name, mode, scopes and addresses. The old one expires later',
    status: 201,
    schema: newKeyView,
    errors: ['not_found', 'conflict', 'validation_failed'],
  })
  async rotate(
    @Param({ schema: keyParam }) { id: tenantId, keyId }: KeyParam,
    @Body({ schema: rotationBody }) body: RotationBody,
    @CurrentAudit() audit: AuditNote,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const tenant = await this.tenant(tenantId);
    const made = newKeyParts();
    const { overlap_seconds: overlapSeconds, expires_at: expiresAt } = body;
    const replacement = { ...this.hashOf(made), expiresAt: dateOf(expiresAt), overlapSeconds };
    const key = await this.keys.rotate(tenantId, keyId, replacement, audit);
    if (!key) throw notFound('API key', keyId);
    announceTenant(this.bus, tenant);
    return shownOnce(key, made, reply);
  }

  private hashOf({ keyId, secret }: KeyParts): KeyHash {
    return { keyId, secretHash: hashSecret(this.platformKeys.apiKeyPepper, secret) };
  }

  private async tenant(tenantId: string): Promise<Tenant> {
    return changeable(tenantId, await this.tenants.get(tenantId));
  }
}

function dateOf(text: string | undefined): Date | null {
  return text === undefined ? null : new Date(text);
}

function shownOnce(key: ApiKey, parts: KeyParts, reply: FastifyReply) {
  const location = `/internal/tenants/${key.tenantId}/api-keys/${key.id}`;
  reply.header('Location', location).header('Cache-Control', 'no-store');
  return { ...toKeyView(key), api_key: apiKeyText(key.mode, parts) };
}
