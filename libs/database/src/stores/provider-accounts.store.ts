import { type ChannelId, DomainError, newId, PLATFORM_TENANT_ID } from '#domain';
import { type Change, changedFields } from '../change.js';
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
  /** Sends a second over all workers; null for the provider's own. */
  pacePerSecond: number | null;
  health: AccountHealth | null;
  createdAt: Date;
  updatedAt: Date;
}

/** How an account did when a worker last saw that change; null in an account that has never failed. */
export interface AccountHealth {
  breaker: 'closed' | 'half_open' | 'open';
  code: string | null;
  detail: string | null;
  since: Date;
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
  pacePerSecond: number | null;
}

/** An account with its credentials in clear: for the worker, and for `verify`. */
export interface OpenAccount {
  tenantId: string;
  id: string;
  provider: string;
  channel: ChannelId;
  credentials: Record<string, unknown>;
  pacePerSecond: number | null;
  /** Its breaker as a worker noted it last. */
  breaker: AccountHealth['breaker'];
  /** Changes with the credentials: a connection made with an older one is closed. */
  updatedAt: Date;
}

const TABLE = 'provider_accounts';
const HEALTH = { health: { select: { breaker: true, code: true, detail: true, since: true } } } as const;

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
        this.database.forTenant(tenantId, (prisma) => prisma.providerAccount.create({ data, include: HEALTH })),
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
        include: HEALTH,
      }),
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
  ): Promise<ProviderAccount | null> {
    const { credentials, masked, order, ...rest } = change;
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
        const { count } = await prisma.providerAccount.updateMany({ where: { tenantId, id }, data });
        return count === 0
          ? null
          : toAccount(
              await prisma.providerAccount.findUniqueOrThrow({
                where: { tenantId_id: { tenantId, id } },
                include: HEALTH,
              }),
            );
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
      prisma.providerAccount.findUnique({ where: { tenantId_id: { tenantId, id } }, include: HEALTH }),
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
          include: HEALTH,
        }),
      );
      if (rows.length > 0) return rows.map((row) => this.open(row));
    }
    return [];
  }

  /** One account by its id alone, with its credentials in clear: whose it is says the row. For calls that come from vendors. */
  async openedById(id: string): Promise<OpenAccount | null> {
    const [row] = await this.database.platform.query<{ tenant_id: string }>({
      name: 'account_owner',
      text: 'select tenant_id from provider_accounts where id = $1',
      values: [id],
    });
    return row ? await this.opened(row.tenant_id, id) : null;
  }

  /** Notes that an account stopped working, is tried again, or works again. The account may be gone meanwhile. */
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
    provider: string;
    channel: string;
    credentialsSealed: string;
    pacePerSecond: number | null;
    health: { breaker: string } | null;
    updatedAt: Date;
  }): OpenAccount {
    const clear = this.box.open(row.credentialsSealed, { tenantId: row.tenantId, table: TABLE, id: row.id });
    return {
      tenantId: row.tenantId,
      id: row.id,
      provider: row.provider,
      channel: row.channel as ChannelId,
      credentials: JSON.parse(clear) as Record<string, unknown>,
      pacePerSecond: row.pacePerSecond,
      breaker: (row.health?.breaker ?? 'closed') as AccountHealth['breaker'],
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
  pacePerSecond: number | null;
  health: { breaker: string; code: string | null; detail: string | null; since: Date } | null;
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
    pacePerSecond: row.pacePerSecond,
    health: row.health && { ...row.health, breaker: row.health.breaker as AccountHealth['breaker'] },
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}
