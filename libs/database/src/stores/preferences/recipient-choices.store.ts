import type { KnownCategory, PreferenceSet, QuietHours, TenantSettings } from '#domain';
import { json } from '../../columns.js';
import type { Database } from '../../database.js';
import { type Preferences, toPreferences } from '../recipients/recipient.js';
import { NO_RULES, type PreferenceRules } from './preference-rules.store.js';

/** Categories of a tenant that are read for one recipient, in order of key. */
export const MOST_CATEGORIES = 200;

/** The data that decide what a recipient gets, and how a page shows it. */
export interface RecipientChoices {
  tenant: { name: string; settings: TenantSettings };
  categories: KnownCategory[];
  rules: PreferenceRules;
  preferences: Preferences;
  profile: { locale: string | null; timezone: string | null; createdAt: Date } | null;
}

/** The choices that a recipient makes on the preference page. */
interface PageChoices extends PreferenceSet {
  quietHours: QuietHours | null;
}

interface ChoicesRow {
  name: string;
  settings: TenantSettings;
  known: KnownCategory[] | null;
  defaults: PreferenceSet | null;
  enforced: PreferenceSet | null;
  channels: unknown;
  categories: unknown;
  quietHours: unknown;
  caps: unknown;
  locale: string | null;
  timezone: string | null;
  createdAt: Date | null;
}

/** Indexes: the primary keys; of categories at most MOST_CATEGORIES rows, in its order. */
const CHOICES = `
select t.name, t.settings, u.defaults, u.enforced, p.channels, p.categories, p.quiet_hours as "quietHours", p.caps,
       r.locale, r.timezone, r.created_at as "createdAt",
       (
         select json_agg(json_build_object('key', c.key, 'name', c.name, 'defaultEnabled', c.default_enabled,
                                           'mandatory', c.mandatory) order by c.key)
         from (select * from categories where tenant_id = $1 order by key limit ${MOST_CATEGORIES}) c
       ) as known
from tenants t
left join preference_rules u on u.tenant_id = t.id
left join preferences p on p.tenant_id = t.id and p.recipient_id = $2
left join recipients r on r.tenant_id = t.id and r.id = $2
where t.id = $1`;

export class RecipientChoicesStore {
  constructor(private readonly database: Database) {}

  /** Null if there is no such tenant. A recipient without any data has empty preferences and no profile. */
  async get(tenantId: string, recipientId: string): Promise<RecipientChoices | null> {
    const [row] = await this.database.queryForTenant<ChoicesRow>(tenantId, {
      name: 'recipient_choices',
      text: CHOICES,
      values: [tenantId, recipientId],
    });
    if (!row) return null;
    const { name, settings, known, defaults, enforced, locale, timezone, createdAt } = row;
    return {
      tenant: { name, settings },
      categories: known ?? [],
      rules: { defaults: defaults ?? NO_RULES.defaults, enforced: enforced ?? NO_RULES.enforced },
      preferences: toPreferences(row.channels === null ? null : row),
      profile: createdAt && { locale, timezone, createdAt },
    };
  }

  /**
   * Changes channels, categories and quiet hours of a recipient, and leaves everything else as it is. Does nothing if
   * the recipient was erased. Locks the row of the preferences, so that changes at the same time follow each other.
   * Index: preferences_pkey.
   */
  async change(
    { tenantId, recipientId }: { tenantId: string; recipientId: string },
    changed: (before: PageChoices) => PageChoices,
  ): Promise<void> {
    await this.database.forTenant(tenantId, async (prisma) => {
      await prisma.$executeRaw`
        insert into preferences (tenant_id, recipient_id)
        select tenant_id, id from recipients where tenant_id = ${tenantId}::uuid and id = ${recipientId} for key share
        on conflict do nothing`;
      const [row] = await prisma.$queryRaw<PageChoices[]>`
        select channels, categories, quiet_hours as "quietHours" from preferences
        where tenant_id = ${tenantId}::uuid and recipient_id = ${recipientId} for update`;
      if (!row) return;
      const { channels, categories, quietHours } = changed(row);
      await prisma.$executeRaw`
        update preferences set channels = ${JSON.stringify(channels)}::jsonb,
          categories = ${JSON.stringify(categories)}::jsonb, quiet_hours = ${json(quietHours)}::jsonb,
          updated_at = now()
        where tenant_id = ${tenantId}::uuid and recipient_id = ${recipientId}`;
    });
  }
}
