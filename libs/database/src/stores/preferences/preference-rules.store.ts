import type { PreferenceSet } from '#domain';
import type { Database } from '../../database.js';
import { type AuditNote, writeAudit } from '../audit/audit-entry.js';

/** The rules of a tenant for the preferences of all its recipients. */
export interface PreferenceRules {
  /** Apply where the recipient has not chosen. */
  defaults: PreferenceSet;
  /** Apply whatever the recipient has chosen. */
  enforced: PreferenceSet;
}

export const NO_RULES: PreferenceRules = {
  defaults: { channels: {}, categories: {} },
  enforced: { channels: {}, categories: {} },
};

/** Reads and replaces the row of `preference_rules`. Index: preference_rules_pkey. */
export class PreferenceRulesStore {
  constructor(private readonly database: Database) {}

  async get(tenantId: string): Promise<PreferenceRules> {
    const [row] = await this.database.queryForTenant<PreferenceRules>(tenantId, {
      name: 'preference_rules',
      text: 'select defaults, enforced from preference_rules where tenant_id = $1',
      values: [tenantId],
    });
    return row ?? NO_RULES;
  }

  async put(tenantId: string, rules: PreferenceRules, audit: AuditNote): Promise<void> {
    await this.database.forTenant(tenantId, async (prisma) => {
      const [before] = await prisma.$queryRaw<PreferenceRules[]>`
        select defaults, enforced from preference_rules where tenant_id = ${tenantId}::uuid for update`;
      await prisma.$executeRaw`
        insert into preference_rules (tenant_id, defaults, enforced)
        values (${tenantId}::uuid, ${JSON.stringify(rules.defaults)}::jsonb, ${JSON.stringify(rules.enforced)}::jsonb)
        on conflict (tenant_id) do update set
          defaults = excluded.defaults, enforced = excluded.enforced, updated_at = now()`;
      await writeAudit(prisma, audit, { tenantId, subject: tenantId, before: before ?? null, after: rules });
    });
  }
}
