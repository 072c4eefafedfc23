import type { Database } from '../../database.js';
import { afterNumberCursor, type Page, type PageRequest, toPage } from '../../page.js';
import type { Template } from './template.js';

/** A version as it was written. It never changes. */
export interface StoredVersion
  extends Pick<Template, 'version' | 'content' | 'samplePayload' | 'payloadSchema' | 'layout' | 'includes'> {
  createdAt: Date;
}

const COLUMNS = `version, content, sample_payload as "samplePayload", payload_schema as "payloadSchema", layout,
  includes, created_at as "createdAt"`;

/** The versions of templates of a tenant; it may read those of the platform, too. */
export class TemplateVersionsStore {
  constructor(private readonly database: Database) {}

  /** Newest first. Index: template_versions_pkey. */
  async list(tenantId: string, template: Owned, page: PageRequest): Promise<Page<StoredVersion>> {
    const rows = await this.database.queryForTenant<StoredVersion>(tenantId, {
      text: `select ${COLUMNS} from template_versions
             where tenant_id = $1 and template_id = $2 and ($3::bigint is null or version < $3)
             order by version desc limit $4`,
      values: [template.owner, template.id, afterNumberCursor(page.cursor), page.limit + 1],
    });
    return toPage(rows, page.limit, ({ version }) => String(version));
  }

  /** Index: template_versions_pkey. */
  async get(tenantId: string, { owner, id }: Owned, version: number): Promise<StoredVersion | null> {
    const [row] = await this.database.queryForTenant<StoredVersion>(tenantId, {
      text: `select ${COLUMNS} from template_versions where tenant_id = $1 and template_id = $2 and version = $3`,
      values: [owner, id, version],
    });
    return row ?? null;
  }
}

interface Owned {
  /** The tenant, or the platform. */
  owner: string;
  /** The id of the template. */
  id: string;
}
