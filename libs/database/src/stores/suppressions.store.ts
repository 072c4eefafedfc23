import { type ChannelId, comparableAddress, DomainError, newId, type SuppressionReason } from '#domain';
import type { Database } from '../database.js';
import { Prisma } from '../generated/client.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../page.js';

export interface Suppression {
  id: string;
  channel: ChannelId;
  address: string;
  reason: SuppressionReason;
  detail: string | null;
  deliveryId: string | null;
  createdAt: Date;
  expiresAt: Date | null;
}

export interface SuppressionFilter {
  channel?: ChannelId | undefined;
  address?: string | undefined;
  reason?: SuppressionReason | undefined;
}

/** Addresses of a tenant that nothing is sent to. */
export class SuppressionsStore {
  constructor(private readonly database: Database) {}

  /** Throws `conflict` when the address is on the list already. */
  async create(
    tenantId: string,
    { channel, address, reason, expiresAt }: Pick<Suppression, 'channel' | 'address' | 'reason' | 'expiresAt'>,
  ): Promise<Suppression> {
    const data = { tenantId, id: newId(), channel, address: comparableAddress(channel, address), reason, expiresAt };
    try {
      return await this.database.forTenant(tenantId, async (prisma) => {
        // One that has run out makes room.
        await prisma.suppression.deleteMany({
          where: { tenantId, channel, address: data.address, expiresAt: { lte: new Date() } },
        });
        return toSuppression(await prisma.suppression.create({ data }));
      });
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002')
        throw new DomainError(
          'conflict',
          `${JSON.stringify(address)} is on the suppression list of ${channel} already.`,
        );
      throw error;
    }
  }

  async list(tenantId: string, filter: SuppressionFilter, page: PageRequest): Promise<Page<Suppression>> {
    const before = afterIdCursor(page.cursor);
    const { channel, address, reason } = filter;
    const where = {
      tenantId,
      ...(before && { id: { lt: before } }),
      ...(channel && { channel }),
      ...(reason && { reason }),
      ...(address !== undefined && { address: { in: [address, address.toLowerCase()] } }),
    };
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.suppression.findMany({ where, orderBy: { id: 'desc' }, take: page.limit + 1 }),
    );
    return toPage(rows.map(toSuppression), page.limit, (row) => row.id);
  }

  async delete(tenantId: string, id: string): Promise<boolean> {
    const { count } = await this.database.forTenant(tenantId, (prisma) =>
      prisma.suppression.deleteMany({ where: { tenantId, id } }),
    );
    return count > 0;
  }
}

interface Row extends Omit<Suppression, 'channel' | 'reason'> {
  tenantId: string;
  channel: string;
  reason: string;
}

function toSuppression({ tenantId: _tenant, ...row }: Row): Suppression {
  return { ...row, channel: row.channel as ChannelId, reason: row.reason as SuppressionReason };
}
