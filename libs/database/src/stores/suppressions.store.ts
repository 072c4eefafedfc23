import { type ChannelId, comparableAddress, DomainError, newId, type SuppressionReason } from '#domain';
import type { Database } from '../database.js';
import { Prisma } from '../generated/client.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../page.js';
import { hashedAddress } from '../secrets/hashed-address.js';
import type { PlatformKeys } from '../secrets/platform-keys.js';
import { type AuditNote, writeAudit } from './audit/audit-entry.js';

export interface Suppression {
  id: string;
  channel: ChannelId;
  /** A keyed hash, `hmac:…`, after the erasure of the recipient. */
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
  constructor(
    private readonly database: Database,
    private readonly keys: Pick<PlatformKeys, 'addressKey'>,
  ) {}

  /** Throws `conflict` if the address is already on the list. */
  async create(
    tenantId: string,
    { channel, address, reason, expiresAt }: Pick<Suppression, 'channel' | 'address' | 'reason' | 'expiresAt'>,
  ): Promise<Suppression> {
    const data = { tenantId, id: newId(), channel, address: comparableAddress(channel, address), reason, expiresAt };
    try {
      return await this.database.forTenant(tenantId, async (prisma) => {
        const hashed = hashedAddress(this.keys.addressKey, tenantId, data.address);
        const sameAddress = { tenantId, channel, address: { in: [data.address, hashed] } };
        // An expired entry of the same address would be a conflict.
        await prisma.suppression.deleteMany({ where: { ...sameAddress, expiresAt: { lte: new Date() } } });
        if (await prisma.suppression.findFirst({ where: sameAddress, select: { id: true } }))
          throw alreadyListed(channel, address);
        return toSuppression(await prisma.suppression.create({ data }));
      });
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002')
        throw alreadyListed(channel, address);
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
      ...(address !== undefined && { address: { in: formsOf(this.keys.addressKey, tenantId, address) } }),
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

/** The texts with which the list may have an address: as it is, in lower case for e-mail, and their hashes. */
function formsOf(key: Buffer, tenantId: string, address: string): string[] {
  const plain = [address, address.toLowerCase()];
  return [...plain, ...plain.map((one) => hashedAddress(key, tenantId, one))];
}

function alreadyListed(channel: ChannelId, address: string): DomainError {
  const message = `${JSON.stringify(address)} is already on the suppression list of ${channel}.`;
  return new DomainError('conflict', message);
}

interface Row extends Omit<Suppression, 'channel' | 'reason'> {
  tenantId: string;
  channel: string;
  reason: string;
}

function toSuppression({ tenantId: _tenant, ...row }: Row): Suppression {
  return { ...row, channel: row.channel as ChannelId, reason: row.reason as SuppressionReason };
}
