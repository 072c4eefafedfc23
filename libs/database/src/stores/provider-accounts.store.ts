import { type ChannelId, DomainError, newId, PLATFORM_TENANT_ID } from '#domain';
import { type Change, changedFields } from '../change.js';
import type { Database } from '../database.js';
import { Prisma } from '../generated/client.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../page.js';
import type { SecretBox } from '../secrets/secret-box.js';
import { type AuditNote, writeAudit } from './audit/audit-entry.js';
import {
  type AccountAllowances,
  type AccountHealth,
  HEALTH,
  mergeAllowances,
  type OpenAccount,
  type ProviderAccount,
  type ProviderAccountFields,
  toAccount,
} from './provider-account.js';

const TABLE = 'provider_accounts';

/** Provider accounts of a tenant, or of the platform under {@link PLATFORM_TENANT_ID}. */
export class ProviderAccountsStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  async create(tenantId: string, fields: ProviderAccountFields, audit: AuditNote | null): Promise<ProviderAccount> {
    const id = newId();
    const { credentials, masked, order, allowed, ...rest } = fields;
    const data = {
      tenantId,
      id,
      ...rest,
      position: order,
      allowed: mergeAllowances({}, allowed) as Prisma.InputJsonObject,
      credentialsMasked: masked as Prisma.InputJsonObject,
      credentialsSealed: this.box.seal(JSON.stringify(credentials), { tenantId, table: TABLE, id }),
    };
    return await this.uniqueName(fields.name, () =>
      this.database.forTenant(tenantId, async (prisma) => {
        const account = toAccount(await prisma.providerAccount.create({ data, include: HEALTH }));
        await writeAudit(prisma, audit, { tenantId, subject: id, after: recordedFields(account) });
        return account;
      }),
    );
  }

  async list(tenantId: string, page: PageRequest): Promise<Page<ProviderAccount>> {
    const { where, ...slice } = newestFirst(page);
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.providerAccount.findMany({ where: { tenantId, ...where }, ...slice, include: HEALTH }),
    );
    return toPage(rows.map(toAccount), page.limit, (row) => row.id);
  }

  async get(tenantId: string, id: string): Promise<ProviderAccount | null> {
    const row = await this.database.forTenant(tenantId, (prisma) =>
      prisma.providerAccount.findUnique({ where: { tenantId_id: { tenantId, id } }, include: HEALTH }),
    );
    return row && toAccount(row);
  }

  async update(
    tenantId: string,
    id: string,
    change: Change<Omit<ProviderAccountFields, 'provider' | 'channel'>>,
    audit: AuditNote | null,
  ): Promise<ProviderAccount | null> {
    const { credentials, masked, order, allowed, ...rest } = change;
    const data = {
      ...changedFields(rest),
      ...(order !== undefined && { position: order }),
      ...(credentials && {
        credentialsSealed: this.box.seal(JSON.stringify(credentials), { tenantId, table: TABLE, id }),
        credentialsMasked: masked as Prisma.InputJsonObject,
      }),
      updatedAt: new Date(),
    };
    return await this.uniqueName(change.name, () =>
      this.database.forTenant(tenantId, async (prisma) => {
        const where = { tenantId_id: { tenantId, id } };
        await prisma.$queryRaw`
          select 1 as locked from provider_accounts
          where tenant_id = ${tenantId}::uuid and id = ${id}::uuid for update`;
        const before = await prisma.providerAccount.findUnique({ where, include: HEALTH });
        if (!before) return null;
        const merged = mergeAllowances(toAccount(before).allowed, allowed) as Prisma.InputJsonObject;
        const account = toAccount(
          await prisma.providerAccount.update({ where, data: { ...data, allowed: merged }, include: HEALTH }),
        );
        const fields = { before: recordedFields(toAccount(before)), after: recordedFields(account) };
        await writeAudit(prisma, audit, { tenantId, subject: id, ...fields });
        return account;
      }),
    );
  }

  async delete(tenantId: string, id: string, audit: AuditNote | null): Promise<boolean> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const where = { tenantId_id: { tenantId, id } };
      const before = await prisma.providerAccount.findUnique({ where, include: HEALTH });
      const { count } = await prisma.providerAccount.deleteMany({ where: { tenantId, id } });
      if (!before || count === 0) return false;
      await writeAudit(prisma, audit, { tenantId, subject: id, before: recordedFields(toAccount(before)) });
      return true;
    });
  }

  /** One account with its credentials in plain text. */
  async opened(tenantId: string, id: string): Promise<OpenAccount | null> {
    const row = await this.database.forTenant(tenantId, (prisma) =>
      prisma.providerAccount.findUnique({ where: { tenantId_id: { tenantId, id } }, include: HEALTH }),
    );
    return row && this.open(row);
  }

  /** The enabled accounts of a channel in their order; if the tenant has none, those of the platform for it. */
  async openAll(tenantId: string, channel: ChannelId): Promise<OpenAccount[]> {
    for (const owner of [tenantId, PLATFORM_TENANT_ID]) {
      const rows = await this.database.forTenant(owner, (prisma) =>
        prisma.providerAccount.findMany({
          where: { tenantId: owner, channel, enabled: true },
          orderBy: [{ position: 'asc' }, { id: 'asc' }],
          include: HEALTH,
        }),
      );
      const usable = rows.filter((row) => (row.allowed as AccountAllowances).tenants?.includes(tenantId) ?? true);
      if (usable.length > 0) return usable.map((row) => this.open(row));
    }
    return [];
  }

  /**
   * One account by its id alone, with its credentials in plain text. For requests of vendors, which do not name the
   * tenant. Index: provider_accounts_id_key.
   */
  async openedById(id: string): Promise<OpenAccount | null> {
    const [row] = await this.database.platform.query<{ tenant_id: string }>({
      name: 'account_owner',
      text: 'select tenant_id from provider_accounts where id = $1',
      values: [id],
    });
    return row ? await this.opened(row.tenant_id, id) : null;
  }

  /**
   * Records a change of an account's breaker. Does nothing if the account was deleted. Indexes: provider_accounts_pkey,
   * provider_account_health_pkey.
   */
  async noteHealth(
    account: { tenantId: string; id: string },
    breaker: AccountHealth['breaker'],
    cause: { code: string | null; detail: string } | null,
  ): Promise<void> {
    await this.database.platform.query({
      name: 'note_health',
      text: `insert into provider_account_health as h (tenant_id, account_id, breaker, code, detail)
             select tenant_id, id, $3, $4, $5 from provider_accounts where tenant_id = $1 and id = $2
             on conflict (tenant_id, account_id) do update set
               breaker = excluded.breaker, code = excluded.code, detail = excluded.detail, since = now()`,
      values: [account.tenantId, account.id, breaker, cause?.code ?? null, cause?.detail ?? null],
    });
  }

  private open(row: {
    tenantId: string;
    id: string;
    name: string;
    provider: string;
    channel: string;
    credentialsSealed: string;
    pacePerSecond: number | null;
    allowed: unknown;
    health: { breaker: string } | null;
    updatedAt: Date;
  }): OpenAccount {
    const clear = this.box.open(row.credentialsSealed, { tenantId: row.tenantId, table: TABLE, id: row.id });
    return {
      tenantId: row.tenantId,
      id: row.id,
      name: row.name,
      provider: row.provider,
      channel: row.channel as ChannelId,
      credentials: JSON.parse(clear) as Record<string, unknown>,
      pacePerSecond: row.pacePerSecond,
      allowed: row.allowed as AccountAllowances,
      breaker: (row.health?.breaker ?? 'closed') as AccountHealth['breaker'],
      updatedAt: row.updatedAt,
    };
  }

  private async uniqueName<T>(name: string | undefined, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002') {
        throw new DomainError('conflict', `A provider account named ${JSON.stringify(name)} already exists.`);
      }
      throw error;
    }
  }
}

/** With masked credentials; without the health, which workers change. */
function recordedFields(account: ProviderAccount): object {
  const { id: _id, health: _health, createdAt: _createdAt, updatedAt: _updatedAt, ...fields } = account;
  return fields;
}
