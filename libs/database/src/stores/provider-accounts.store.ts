import { type ChannelId, DomainError, newId, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../database.js';
import { Prisma } from '../generated/client.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../page.js';
import type { SecretBox } from '../secret-box.js';

export interface ProviderAccount {
  id: string;
  name: string;
  provider: string;
  channel: ChannelId;
  /** Secrets masked: what may be shown. */
  credentials: Record<string, unknown>;
  order: number;
  enabled: boolean;
  createdAt: Date;
  updatedAt: Date;
}

export interface ProviderAccountFields {
  name: string;
  provider: string;
  channel: ChannelId;
  /** In clear; sealed here, opened only by {@link ProviderAccountsStore.opened} and {@link ProviderAccountsStore.openAll}. */
  credentials: Record<string, unknown>;
  masked: Record<string, unknown>;
  order: number;
  enabled: boolean;
}

/** An account with its credentials in clear: for the worker, and for `verify`. */
export interface OpenAccount {
  tenantId: string;
  id: string;
  provider: string;
  channel: ChannelId;
  credentials: Record<string, unknown>;
  /** Changes with the credentials: a connection made with an older one is closed. */
  updatedAt: Date;
}

const TABLE = 'provider_accounts';

/** Provider accounts of a tenant, or of the platform under {@link PLATFORM_TENANT_ID}. */
export class ProviderAccountsStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  async create(tenantId: string, fields: ProviderAccountFields): Promise<ProviderAccount> {
    const id = newId();
    const { credentials, masked, order, ...rest } = fields;
    const data = {
      tenantId,
      id,
      ...rest,
      position: order,
      credentialsMasked: masked as Prisma.InputJsonObject,
      credentialsSealed: this.box.seal(JSON.stringify(credentials), { tenantId, table: TABLE, id }),
    };
    return toAccount(
      await this.uniqueName(fields.name, () =>
        this.database.forTenant(tenantId, (prisma) => prisma.providerAccount.create({ data })),
      ),
    );
  }

  async list(tenantId: string, page: PageRequest): Promise<Page<ProviderAccount>> {
    const before = afterIdCursor(page.cursor);
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.providerAccount.findMany({
        where: { tenantId, ...(before && { id: { lt: before } }) },
        orderBy: { id: 'desc' },
        take: page.limit + 1,
      }),
    );
    return toPage(rows.map(toAccount), page.limit, (row) => row.id);
  }

  async get(tenantId: string, id: string): Promise<ProviderAccount | null> {
    const row = await this.database.forTenant(tenantId, (prisma) =>
      prisma.providerAccount.findUnique({ where: { tenantId_id: { tenantId, id } } }),
    );
    return row && toAccount(row);
  }

  async update(
    tenantId: string,
    id: string,
    change: Partial<Omit<ProviderAccountFields, 'provider' | 'channel'>>,
  ): Promise<ProviderAccount | null> {
    const { credentials, masked, order, ...rest } = change;
    const data = {
      ...rest,
      ...(order !== undefined && { position: order }),
      ...(credentials && {
        credentialsSealed: this.box.seal(JSON.stringify(credentials), { tenantId, table: TABLE, id }),
        credentialsMasked: masked as Prisma.InputJsonObject,
      }),
      updatedAt: new Date(),
    };
    return await this.uniqueName(change.name, () =>
      this.database.forTenant(tenantId, async (prisma) => {
        const { count } = await prisma.providerAccount.updateMany({ where: { tenantId, id }, data });
        return count === 0
          ? null
          : toAccount(await prisma.providerAccount.findUniqueOrThrow({ where: { tenantId_id: { tenantId, id } } }));
      }),
    );
  }

  async delete(tenantId: string, id: string): Promise<boolean> {
    const { count } = await this.database.forTenant(tenantId, (prisma) =>
      prisma.providerAccount.deleteMany({ where: { tenantId, id } }),
    );
    return count > 0;
  }

  /** One account with its credentials in clear. */
  async opened(tenantId: string, id: string): Promise<OpenAccount | null> {
    const row = await this.database.forTenant(tenantId, (prisma) =>
      prisma.providerAccount.findUnique({ where: { tenantId_id: { tenantId, id } } }),
    );
    return row && this.open(row);
  }

  /** The enabled accounts of one channel in their order; the platform's where the tenant has none. */
  async openAll(tenantId: string, channel: ChannelId): Promise<OpenAccount[]> {
    for (const owner of [tenantId, PLATFORM_TENANT_ID]) {
      const rows = await this.database.forTenant(owner, (prisma) =>
        prisma.providerAccount.findMany({
          where: { tenantId: owner, channel, enabled: true },
          orderBy: [{ position: 'asc' }, { id: 'asc' }],
        }),
      );
      if (rows.length > 0) return rows.map((row) => this.open(row));
    }
    return [];
  }

  private open(row: {
    tenantId: string;
    id: string;
    provider: string;
    channel: string;
    credentialsSealed: string;
    updatedAt: Date;
  }): OpenAccount {
    const clear = this.box.open(row.credentialsSealed, { tenantId: row.tenantId, table: TABLE, id: row.id });
    return {
      tenantId: row.tenantId,
      id: row.id,
      provider: row.provider,
      channel: row.channel as ChannelId,
      credentials: JSON.parse(clear) as Record<string, unknown>,
      updatedAt: row.updatedAt,
    };
  }

  private async uniqueName<T>(name: string | undefined, write: () => Promise<T>): Promise<T> {
    try {
      return await write();
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002') {
        throw new DomainError('conflict', `There is a provider account named ${JSON.stringify(name)} already.`);
      }
      throw error;
    }
  }
}

function toAccount(row: {
  id: string;
  name: string;
  provider: string;
  channel: string;
  credentialsMasked: unknown;
  position: number;
  enabled: boolean;
  createdAt: Date;
  updatedAt: Date;
}): ProviderAccount {
  return {
    id: row.id,
    name: row.name,
    provider: row.provider,
    channel: row.channel as ChannelId,
    credentials: row.credentialsMasked as Record<string, unknown>,
    order: row.position,
    enabled: row.enabled,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}
