import { attributesTooLarge, MAX_DEVICES, tooManyDevices } from '#domain';
import { Batcher } from '../../batcher.js';
import { type Change, changedFields } from '../../change.js';
import { columnList } from '../../column-list.js';
import type { Database, PrismaScope } from '../../database.js';
import { Prisma } from '../../generated/client.js';
import { afterCursor, type Page, type PageRequest, toPage } from '../../page.js';
import { MergedAttributes } from './merged-attributes.js';
import {
  type Device,
  type PreferenceRow,
  type Preferences,
  type Recipient,
  type RecipientAddresses,
  type RecipientFields,
  toDevice,
  toPreferences,
  toRecipient,
} from './recipient.js';

interface RecipientKey {
  tenantId: string;
  id: string;
}

const recipientColumns = columnList<RecipientKey>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  id: ['text', ({ id }) => id],
});

/** Indexes: recipients_pkey, devices_pkey. */
const ADDRESSES = `
select i.ord::int as ord, r.email, r.phone, r.locale, coalesce((
         select json_agg(json_build_object('token', v.token))
         from devices v where v.tenant_id = r.tenant_id and v.recipient_id = r.id), '[]') as devices
from ${recipientColumns.numberedTable('i')}
join recipients r on r.tenant_id = i.tenant_id and r.id = i.id`;

interface RecipientFilter {
  /** Exactly, or in lower case. */
  email?: string | undefined;
  phone?: string | undefined;
}

export class RecipientsStore {
  private readonly addresses: Batcher<RecipientKey, RecipientAddresses | null>;

  constructor(private readonly database: Database) {
    this.addresses = new Batcher({
      flush: (keys) => this.readAddresses(keys),
      slots: 4,
      maxBatch: 1_000,
      maxQueue: 100_000,
      repeatable: true,
    });
  }

  /** Creates or replaces a recipient. */
  async put(
    tenantId: string,
    id: string,
    fields: RecipientFields,
  ): Promise<{ recipient: Recipient; created: boolean }> {
    const data = { ...fields, attributes: fields.attributes as Prisma.InputJsonObject };
    return await this.database.forTenant(tenantId, async (prisma) => {
      const before = await prisma.recipient.findUnique({
        where: { tenantId_id: { tenantId, id } },
        select: { id: true },
      });
      const row = await prisma.recipient.upsert({
        where: { tenantId_id: { tenantId, id } },
        create: { tenantId, id, ...data },
        update: data,
      });
      return { recipient: toRecipient(row), created: before === null };
    });
  }

  /**
   * Merges the change as a JSON Merge Patch (RFC 7396). Locks the recipient's row. Throws `validation_failed` if the
   * attributes became too large. Index: recipients_pkey.
   */
  async patch(tenantId: string, id: string, change: Change<RecipientFields>): Promise<Recipient | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const [before] = await prisma.$queryRaw<{ attributes: Record<string, unknown> }[]>`
        select attributes from recipients where tenant_id = ${tenantId}::uuid and id = ${id} for update`;
      if (!before) return null;
      const { attributes: patch, ...rest } = change;
      const attributes = new MergedAttributes(before.attributes);
      if (patch && attributes.merge(patch) === 'too_large') throw attributesTooLarge('/attributes');
      const data = {
        ...changedFields(rest),
        ...(attributes.isChanged && { attributes: attributes.value as Prisma.InputJsonObject }),
      };
      return toRecipient(await prisma.recipient.update({ where: { tenantId_id: { tenantId, id } }, data }));
    });
  }

  /** Index: recipients_pkey. */
  async get(tenantId: string, id: string): Promise<Recipient | null> {
    const [row] = await this.database.queryForTenant<Recipient>(tenantId, {
      name: 'recipient',
      text: `select id, email, phone, locale, timezone, attributes, created_at as "createdAt", updated_at as "updatedAt"
             from recipients where tenant_id = $1 and id = $2`,
      values: [tenantId, id],
    });
    return row ?? null;
  }

  /** The time zones of those of these recipients whose profile has one, by id. Index: recipients_pkey. */
  async timezones(tenantId: string, ids: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.database.queryForTenant<{ id: string; timezone: string }>(tenantId, {
      name: 'recipient_timezones',
      text: `select id, timezone from recipients
             where tenant_id = $1 and id = any ($2::text[]) and timezone is not null`,
      values: [tenantId, ids],
    });
    return new Map(rows.map(({ id, timezone }) => [id, timezone]));
  }

  /** In order of id. Indexes: recipients_pkey; with a filter recipients_email_idx, recipients_phone_idx. */
  async list(tenantId: string, filter: RecipientFilter, page: PageRequest): Promise<Page<Recipient>> {
    const after = afterCursor(page.cursor);
    const { email, phone } = filter;
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.recipient.findMany({
        where: {
          tenantId,
          ...(after !== null && { id: { gt: after } }),
          // Stored as it was given.
          ...(email !== undefined && { email: { in: [...new Set([email, email.toLowerCase()])] } }),
          ...(phone !== undefined && { phone }),
        },
        orderBy: { id: 'asc' },
        take: page.limit + 1,
      }),
    );
    return toPage(rows.map(toRecipient), page.limit, (row) => row.id);
  }

  async devices(tenantId: string, id: string): Promise<Device[] | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      if (!(await exists(prisma, tenantId, id))) return null;
      const rows = await prisma.device.findMany({
        where: { tenantId, recipientId: id },
        orderBy: { createdAt: 'asc' },
      });
      return rows.map(toDevice);
    });
  }

  /**
   * Adds a device, or updates its time of last use. Null if the recipient does not exist. Throws `validation_failed` if
   * it has MAX_DEVICES others. Index: devices_pkey.
   */
  async addDevice(
    tenantId: string,
    id: string,
    device: Pick<Device, 'token' | 'platform'>,
  ): Promise<{ device: Device; created: boolean } | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      if (!(await exists(prisma, tenantId, id))) return null;
      const key = { tenantId_recipientId_token: { tenantId, recipientId: id, token: device.token } };
      const before = await prisma.device.findUnique({ where: key, select: { token: true } });
      if (!before && (await prisma.device.count({ where: { tenantId, recipientId: id } })) >= MAX_DEVICES)
        throw tooManyDevices('/token');
      const row = await prisma.device.upsert({
        where: key,
        create: { tenantId, recipientId: id, ...device },
        update: { platform: device.platform, lastSeenAt: new Date() },
      });
      return { device: toDevice(row), created: before === null };
    });
  }

  async removeDevice(tenantId: string, id: string, token: string): Promise<boolean> {
    const { count } = await this.database.forTenant(tenantId, (prisma) =>
      prisma.device.deleteMany({ where: { tenantId, recipientId: id, token } }),
    );
    return count > 0;
  }

  /** Empty sets for a recipient that has chosen nothing. Index: preferences_pkey. */
  async preferences(tenantId: string, id: string): Promise<Preferences> {
    const [row] = await this.database.queryForTenant<PreferenceRow>(tenantId, {
      name: 'preferences',
      text: `select channels, categories, quiet_hours as "quietHours", caps
             from preferences where tenant_id = $1 and recipient_id = $2`,
      values: [tenantId, id],
    });
    return toPreferences(row ?? null);
  }

  async putPreferences(tenantId: string, id: string, preferences: Preferences): Promise<void> {
    const { channels, categories, quietHours, caps } = preferences;
    const data = {
      channels,
      categories: categories as Prisma.InputJsonObject,
      quietHours: quietHours ?? Prisma.DbNull,
      caps: caps as Prisma.InputJsonArray,
    };
    await this.database.forTenant(tenantId, (prisma) =>
      prisma.preference.upsert({
        where: { tenantId_recipientId: { tenantId, recipientId: id } },
        create: { tenantId, recipientId: id, ...data },
        update: data,
      }),
    );
  }

  /** Disables one category on all channels. A repeat changes nothing. Index: preferences_pkey. */
  async leaveCategory(tenantId: string, id: string, category: string): Promise<void> {
    await this.database.forTenant(
      tenantId,
      (prisma) => prisma.$executeRaw`
        insert into preferences as p (tenant_id, recipient_id, categories)
        select ${tenantId}::uuid, ${id}, jsonb_build_object(${category}::text, '{"enabled": false}'::jsonb)
        where exists (select from recipients where tenant_id = ${tenantId}::uuid and id = ${id})
           or exists (select from preferences where tenant_id = ${tenantId}::uuid and recipient_id = ${id})
           or exists (
             select from notifications n where n.recipient_id = ${id} and n.tenant_id = ${tenantId}::uuid
               and n.created_at > coalesce(
                 (select requested_at from erasures where tenant_id = ${tenantId}::uuid and recipient_id = ${id}),
                 '-infinity'))
        on conflict (tenant_id, recipient_id) do update set
          categories = p.categories || excluded.categories, updated_at = now()`,
    );
  }

  /** The addresses for an accept. Reads those of many requests in one statement. */
  async addressesOf(tenantId: string, id: string): Promise<RecipientAddresses | null> {
    return await this.addresses.run({ tenantId, id });
  }

  private async readAddresses(keys: readonly RecipientKey[]): Promise<(RecipientAddresses | null)[]> {
    const rows = await this.database.platform.query<RecipientAddresses & { ord: number }>({
      name: 'recipient_addresses',
      text: ADDRESSES,
      values: recipientColumns.values(keys),
    });
    const found = new Map(rows.map(({ ord, ...addresses }) => [ord - 1, addresses]));
    return keys.map((_, index) => found.get(index) ?? null);
  }
}

async function exists(prisma: PrismaScope, tenantId: string, id: string): Promise<boolean> {
  return (await prisma.recipient.count({ where: { tenantId, id } })) > 0;
}
