import DataLoader from 'dataloader';
import { type CategoryPreference, channelIds } from '#domain';
import { type Change, changedFields } from '../change.js';
import { columns } from '../columns.js';
import type { Database, PrismaScope } from '../database.js';
import { Prisma } from '../generated/client.js';
import { afterCursor, type Page, type PageRequest, toPage } from '../page.js';

export interface Recipient {
  id: string;
  email: string | null;
  phone: string | null;
  locale: string | null;
  timezone: string | null;
  attributes: Record<string, unknown>;
  createdAt: Date;
  updatedAt: Date;
}

export type RecipientFields = Pick<Recipient, 'email' | 'phone' | 'locale' | 'timezone' | 'attributes'>;

export interface Device {
  token: string;
  platform: 'ios' | 'android' | 'web';
  createdAt: Date;
  lastSeenAt: Date;
}

/** What a recipient wants, by channel and by category; what is not named is left to the category. */
export interface Preferences {
  channels: Record<string, boolean>;
  categories: Record<string, CategoryPreference>;
}

export interface RecipientAddresses {
  email: string | null;
  phone: string | null;
  locale: string | null;
  devices: { token: string }[];
}

interface RecipientKey {
  tenantId: string;
  id: string;
}

export class RecipientsStore {
  private readonly addresses: DataLoader<RecipientKey, RecipientAddresses | null, string>;

  constructor(private readonly database: Database) {
    this.addresses = new DataLoader((keys) => this.readAddresses(keys), {
      cache: false,
      maxBatchSize: 1_000,
      batchScheduleFn: (callback) => setImmediate(callback),
    });
  }

  /** Creates or replaces. Returns whether it is new. */
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

  /** Merges: a key that is not given stays, null empties it; attributes are merged the same way (RFC 7396). */
  async patch(tenantId: string, id: string, change: Change<RecipientFields>): Promise<Recipient | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const [before] = await prisma.$queryRaw<{ attributes: Record<string, unknown> }[]>`
        select attributes from recipients where tenant_id = ${tenantId}::uuid and id = ${id} for update`;
      if (!before) return null;
      const { attributes, ...rest } = change;
      const data = {
        ...changedFields(rest),
        ...(attributes && { attributes: mergePatch(before.attributes, attributes) as Prisma.InputJsonObject }),
      };
      return toRecipient(await prisma.recipient.update({ where: { tenantId_id: { tenantId, id } }, data }));
    });
  }

  async get(tenantId: string, id: string): Promise<Recipient | null> {
    const [row] = await this.database.queryForTenant<Recipient>(tenantId, {
      name: 'recipient',
      text: `select id, email, phone, locale, timezone, attributes, created_at as "createdAt", updated_at as "updatedAt"
             from recipients where tenant_id = $1 and id = $2`, // index: recipients_pkey
      values: [tenantId, id],
    });
    return row ?? null;
  }

  /** In order of id, which is the tenant's own. */
  async list(tenantId: string, page: PageRequest): Promise<Page<Recipient>> {
    const after = afterCursor(page.cursor);
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.recipient.findMany({
        where: { tenantId, ...(after !== null && { id: { gt: after } }) },
        orderBy: { id: 'asc' },
        take: page.limit + 1,
      }),
    );
    return toPage(rows.map(toRecipient), page.limit, (row) => row.id);
  }

  /**
   * Erases the person: profile, devices, preferences and inbox, and the id, address and content of what was sent. What
   * remains is that something was sent. Returns how many rows of each were erased, or null when nothing was known of them.
   * In one round trip, because accepts and records wait for the lock of an ordering key until its holder commits.
   */
  async erase(tenantId: string, id: string): Promise<Record<string, number> | null> {
    const [row] = await this.database.queryForTenant<Record<string, number>>(tenantId, {
      text: ERASE,
      values: [tenantId, id, channelIds],
    });
    return row && Object.values(row).some((count) => count > 0) ? row : null;
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

  /** Adds a device, or notes that it was seen again. Null when there is no such recipient. */
  async addDevice(
    tenantId: string,
    id: string,
    device: Pick<Device, 'token' | 'platform'>,
  ): Promise<{ device: Device; created: boolean } | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      if (!(await exists(prisma, tenantId, id))) return null;
      const key = { tenantId_recipientId_token: { tenantId, recipientId: id, token: device.token } };
      const before = await prisma.device.findUnique({ where: key, select: { token: true } });
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

  /** What the recipient wants; whoever has said nothing has empty sets. */
  async preferences(tenantId: string, id: string): Promise<Preferences> {
    const [row] = await this.database.queryForTenant<{ channels: unknown; categories: unknown }>(tenantId, {
      name: 'preferences',
      text: 'select channels, categories from preferences where tenant_id = $1 and recipient_id = $2', // index: preferences_pkey
      values: [tenantId, id],
    });
    return toPreferences(row ?? null);
  }

  async putPreferences(tenantId: string, id: string, { channels, categories }: Preferences): Promise<void> {
    const data = { channels, categories: categories as Prisma.InputJsonObject };
    await this.database.forTenant(tenantId, (prisma) =>
      prisma.preference.upsert({
        where: { tenantId_recipientId: { tenantId, recipientId: id } },
        create: { tenantId, recipientId: id, ...data },
        update: data,
      }),
    );
  }

  /** Switches one category off, on every channel, and leaves the rest as it is. A repeat changes nothing. */
  async leaveCategory(tenantId: string, id: string, category: string): Promise<void> {
    await this.database.forTenant(
      tenantId,
      (prisma) => prisma.$executeRaw`
        insert into preferences as p (tenant_id, recipient_id, categories)
        values (${tenantId}::uuid, ${id}, jsonb_build_object(${category}::text, '{"enabled": false}'::jsonb))
        on conflict (tenant_id, recipient_id) do update set categories = p.categories || excluded.categories, updated_at = now()`,
    );
  }

  /** Addresses for accept: many requests in one statement. Index: recipients_pkey. */
  async addressesOf(tenantId: string, id: string): Promise<RecipientAddresses | null> {
    return await this.addresses.load({ tenantId, id });
  }

  private async readAddresses(keys: readonly RecipientKey[]): Promise<(RecipientAddresses | null)[]> {
    const rows = await this.database.platform.query<RecipientAddresses & { ord: number }>({
      name: 'recipient_addresses',
      text: `select i.ord::int as ord, r.email, r.phone, r.locale,
                    coalesce((select json_agg(json_build_object('token', v.token)) from devices v where v.tenant_id = r.tenant_id and v.recipient_id = r.id), '[]') as devices
             from unnest($1::uuid[], $2::text[]) with ordinality as i(tenant_id, id, ord)
             join recipients r on r.tenant_id = i.tenant_id and r.id = i.id`,
      values: columns(keys, [(key) => key.tenantId, (key) => key.id]),
    });
    const found = new Map(rows.map(({ ord, ...addresses }) => [ord - 1, addresses]));
    return keys.map((_, index) => found.get(index) ?? null);
  }
}

async function exists(prisma: PrismaScope, tenantId: string, id: string): Promise<boolean> {
  return (await prisma.recipient.count({ where: { tenantId, id } })) > 0;
}

/** RFC 7396: null removes, an object is merged, anything else replaces. */
function mergePatch(target: unknown, patch: Record<string, unknown>): Record<string, unknown> {
  const merged: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else
      merged[key] =
        typeof value === 'object' && !Array.isArray(value)
          ? mergePatch(merged[key], value as Record<string, unknown>)
          : value;
  }
  return merged;
}

function toRecipient(row: Omit<Recipient, 'attributes'> & { attributes: unknown; tenantId: string }): Recipient {
  const { tenantId: _tenant, ...recipient } = row;
  return { ...recipient, attributes: row.attributes as Record<string, unknown> };
}

function toDevice(row: { token: string; platform: string; createdAt: Date; lastSeenAt: Date }): Device {
  return {
    token: row.token,
    platform: row.platform as Device['platform'],
    createdAt: row.createdAt,
    lastSeenAt: row.lastSeenAt,
  };
}

const ERASE = `
with devices_gone as (delete from devices where tenant_id = $1 and recipient_id = $2 returning 1),
preferences_gone as (delete from preferences where tenant_id = $1 and recipient_id = $2 returning 1),
items_gone as (delete from inbox_items where tenant_id = $1 and recipient_id = $2 returning 1),
counters_gone as (delete from inbox_counters where tenant_id = $1 and recipient_id = $2 returning 1),
waiting_gone as (
  delete from due_deliveries q using deliveries d
  where d.tenant_id = $1 and d.notification_id in (select id from notifications where tenant_id = $1 and recipient_id = $2)
    and q.tenant_id = d.tenant_id and q.delivery_id = d.id and not q.sending
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(tenant_id, ordering_key) from notifications where tenant_id = $1 and recipient_id = $2 and ordering_key is not null)))
  returning q.delivery_id, d.notification_id
),
deliveries_blanked as (
  update deliveries d set address = null, recipient_id = 'erased',
    state = case when d.id in (select delivery_id from waiting_gone) then 'cancelled' else d.state end
  where d.tenant_id = $1 and d.notification_id in (select id from notifications where tenant_id = $1 and recipient_id = $2)
  returning d.id
),
letters_blanked as (update dead_letters set recipient_id = 'erased' where tenant_id = $1 and delivery_id in (select id from deliveries_blanked)),
told_gone as (delete from events where tenant_id = $1 and kept and not webhooks and not broker and recipient_id = $2),
told_blanked as (
  update notifications set payload = jsonb_set(payload, '{data,recipient_id}', '"erased"')
  where tenant_id = $1 and endpoint_id is not null and payload->'data'->>'recipient_id' = $2
),
windows_gone as (delete from rate_windows where tenant_id = $1 and key = any (select c || ':' || $2 from unnest($3::text[]) as c)),
mail_gone as (delete from mailbox_messages m where m.tenant_id = $1 and m.delivery_id in (select id from deliveries_blanked) returning 1),
cancelled as materialized (
  select o.id, count(w.delivery_id) as count
  from notifications o left join waiting_gone w on w.notification_id = o.id
  where o.tenant_id = $1 and o.recipient_id = $2 group by o.id
),
notifications_blanked as (
  update notifications n set recipient_id = 'erased', payload = null, content = null, shared_content_id = null, metadata = null,
    cancelled = n.cancelled + c.count
  from cancelled c
  where n.tenant_id = $1 and n.recipient_id = $2 and n.id = c.id returning 1
),
profile_gone as (delete from recipients where tenant_id = $1 and id = $2 returning 1)
select (select count(*) from profile_gone)::int as profile, (select count(*) from devices_gone)::int as devices,
       (select count(*) from preferences_gone)::int as preferences, (select count(*) from items_gone)::int as inbox_items,
       (select count(*) from deliveries_blanked)::int as deliveries, (select count(*) from waiting_gone)::int as cancelled,
       (select count(*) from notifications_blanked)::int as notifications, (select count(*) from mail_gone)::int as mailbox_messages`;

function toPreferences(row: { channels: unknown; categories: unknown } | null): Preferences {
  return {
    channels: (row?.channels ?? {}) as Preferences['channels'],
    categories: (row?.categories ?? {}) as Preferences['categories'],
  };
}
