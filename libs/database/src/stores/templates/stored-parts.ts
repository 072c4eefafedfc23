import { type ChannelId, type IncludedPart, type PartialUses, PLATFORM_TENANT_ID, templateFor } from '#domain';
import type { PrismaScope } from '../../database.js';

/** A partial or layout with the partials that it includes itself. */
export interface StoredPart extends IncludedPart {
  uses: PartialUses;
}

interface Owner {
  tenantId: string;
  channel: ChannelId;
  /** The tenant's default locale. */
  defaultLocale: string | null;
}

interface PartHead {
  tenantId: string;
  id: string;
  locale: string;
  version: number;
}

/** Reads partials and layouts in one transaction, each once. */
export class StoredParts {
  private readonly heads = new Map<string, Promise<PartHead[]>>();
  private readonly parts = new Map<string, Promise<StoredPart>>();

  constructor(
    private readonly prisma: PrismaScope,
    private readonly owner: Owner,
  ) {}

  /**
   * The current version in the best locale for a template in `locale`: the tenant's own, or if it has none in any
   * locale, the platform's.
   */
  async find(kind: 'partial' | 'layout', key: string, locale: string): Promise<StoredPart | null> {
    const name = `${kind} ${key}`;
    if (!this.heads.has(name)) this.heads.set(name, this.readHeads(kind, key));
    const heads = await this.heads.get(name)!;
    const own = heads.filter(({ tenantId }) => tenantId === this.owner.tenantId);
    const usable = own.length > 0 ? own : heads;
    const best = templateFor(usable, locale, this.owner.defaultLocale);
    if (!best) return null;
    if (!this.parts.has(best.id)) this.parts.set(best.id, this.read(best));
    return await this.parts.get(best.id)!;
  }

  private async readHeads(kind: string, key: string): Promise<PartHead[]> {
    return await this.prisma.template.findMany({
      where: { tenantId: { in: [this.owner.tenantId, PLATFORM_TENANT_ID] }, key, channel: this.owner.channel, kind },
      orderBy: { locale: 'asc' },
    });
  }

  private async read({ tenantId, id, locale, version }: PartHead): Promise<StoredPart> {
    const row = await this.prisma.templateVersion.findUniqueOrThrow({
      where: { tenantId_templateId_version: { tenantId, templateId: id, version } },
    });
    const content = row.content as Record<string, string>;
    return { id, locale, version, content, uses: row.uses as unknown as PartialUses };
  }
}
