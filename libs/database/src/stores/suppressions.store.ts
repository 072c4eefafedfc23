import { type ChannelId, comparableAddress, DomainError, newId, type SuppressionReason } from '#domain';
import type { Database } from '../database.js';
import { Prisma } from '../generated/client.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../page.js';
import { type AuditNote, writeAudit } from './audit/audit-entry.js';

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

/** The suppression list of a tenant: nothing is sent to these addresses. */
export class SuppressionsStore {
  constructor(private readonly database: Database) {}

  /** Throws `conflict` if the address is already on the list. */
  async create(
    tenantId: string,
    { channel, address, reason, expiresAt }: Pick<Suppression, 'channel' | 'address' | 'reason' | 'expiresAt'>,
  ): Promise<Suppression> {
    const data = { tenantId, id: newId(), channel, address: comparableAddress(channel, address), reason, expiresAt };
    try {
      return await this.database.forTenant(tenantId, async (prisma) => {
        // An expired entry of the same address would be a conflict.
        await prisma.suppression.deleteMany({
          where: { tenantId, channel, address: data.address, expiresAt: { lte: new Date() } },
        });
        return toSuppression(await prisma.suppression.create({ data }));
      });
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002')
        throw new DomainError(
          'conflict',
          `${JSON.stringify(address)} is already on the suppression list of ${channel}.`,
        );
      throw error;
    }
  }

  async list(tenantId: string, filter: SuppressionFilter, page: PageRequest): Promise<Page<Suppression>> {
    const { channel, address, reason } = filter;
    const { where: afterCursor, ...slice } = newestFirst(page);
    const where = {
      tenantId,
      ...afterCursor,
      ...(channel && { channel }),
      ...(reason && { reason }),
      ...(address !== undefined && { address: { in: [address, address.toLowerCase()] } }),
    };
    const rows = await this.database.forTenant(tenantId, (prisma) => prisma.suppression.findMany({ where, ...slice }));
    return toPage(rows.map(toSuppression), page.limit, (row) => row.id);
  }

  async delete(tenantId: string, id: string, audit: AuditNote | null): Promise<boolean> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const found = await prisma.suppression.findUnique({ where: { tenantId_id: { tenantId, id } } });
      const { count } = await prisma.suppression.deleteMany({ where: { tenantId, id } });
      if (!found || count === 0) return false;
      // Without the address, which is personal data.
      const { channel, reason, deliveryId } = found;
      await writeAudit(prisma, audit, { tenantId, subject: id, before: { channel, reason, deliveryId } });
      return true;
    });
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
