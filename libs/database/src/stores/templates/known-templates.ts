import { LRUCache } from 'lru-cache';
import { atMost, type ChannelId, PLATFORM_TENANT_ID } from '#domain';
import type { TemplatesStore } from './templates.store.js';

/** How long a template that exists is not looked up again. */
const TTL_MS = 30_000;
/** Memory for payload schemas, in characters, and what an entry without one counts as. */
const MAX_CHARACTERS = 32 * 1024 * 1024;
const ENTRY_CHARACTERS = 500;

interface Known {
  tenantId: string;
  schemas: readonly string[];
  readAt: number;
}

/** The templates that exist, with their payload schemas, for the check of a send. Missing templates are not cached. */
export class KnownTemplates {
  private readonly known = new LRUCache<string, Known>({
    maxSize: MAX_CHARACTERS,
    sizeCalculation: ({ schemas }) => schemas.reduce((sum, text) => sum + text.length, ENTRY_CHARACTERS),
    ttl: TTL_MS,
  });
  /** When templates of a tenant changed. */
  private readonly changedAt = new LRUCache<string, number>({ ...atMost(10_000), ttl: TTL_MS });

  constructor(private readonly templates: TemplatesStore) {}

  /**
   * The distinct payload schemas, as JSON, of the templates that a key or id selects on a channel, in all locales. Null
   * if there is no such template.
   */
  async schemas(tenantId: string, idOrKey: string, channel: ChannelId): Promise<readonly string[] | null> {
    const name = `${tenantId} ${channel} ${idOrKey}`;
    const known = this.known.get(name);
    if (known && this.isCurrent(known)) return known.schemas;
    const readAt = performance.now();
    const found = await this.templates.heads(tenantId, idOrKey, channel);
    if (found.length === 0) return null;
    const schemas = [...new Set(found.flatMap(({ payloadSchema }) => payloadSchema ?? []))];
    this.known.set(name, { tenantId, schemas, readAt });
    return schemas;
  }

  private isCurrent({ tenantId, readAt }: Known): boolean {
    return [tenantId, PLATFORM_TENANT_ID].every((owner) => readAt > (this.changedAt.get(owner) ?? 0));
  }

  /** To be called when templates of the tenant, or of the platform, have changed. */
  forget(tenantId: string): void {
    this.changedAt.set(tenantId, performance.now());
  }
}
