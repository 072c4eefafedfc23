import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { QuotasStore, TenantsStore } from '#database';
import { type Caller, CurrentCaller, RequireApiKey } from '../access/access.js';
import { Answers } from '../http/answers.js';
import { quotaView, toQuotaView } from './quota.schema.js';

@ApiTags('Notifications')
@Controller('api/v1/quota')
export class QuotaController {
  constructor(
    private readonly quotas: QuotasStore,
    private readonly tenants: TenantsStore,
  ) {}

  @Get()
  @RequireApiKey('notifications:read')
  @Answers({
    summary: 'How many deliveries of this day and month were used, and how many are allowed',
    status: 200,
    schema: quotaView,
  })
  async get(@CurrentCaller() { tenantId }: Caller) {
    const [known, usages] = await Promise.all([this.tenants.known([tenantId]), this.quotas.usage(tenantId)]);
    return toQuotaView(known.get(tenantId)?.settings ?? {}, usages);
  }
}
