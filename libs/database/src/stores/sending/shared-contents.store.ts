import type { Database } from '../../database.js';

/**
 * The content and payload that all notifications of one bulk send share: stored once, and referred to by each of them.
 */
export interface SharedContent {
  id: string;
  content: Record<string, unknown> | null;
  payload: Record<string, unknown> | null;
}

/** As it is read: the payload is JSON text, which may have megabytes and is parsed only where it is used. */
export interface StoredSharedContent {
  content: Record<string, unknown> | null;
  payload: string | null;
}

/** Rows that no notification refers to are deleted by ExpiredRowsStore. */
export class SharedContentsStore {
  constructor(private readonly database: Database) {}

  /** Must be committed before the first notification that refers to it. Throws `unavailable`. */
  async insert(tenantId: string, { id, content, payload }: SharedContent): Promise<void> {
    await this.database.queryForTenant(tenantId, {
      name: 'insert_shared_content',
      text: 'insert into shared_contents (tenant_id, id, content, payload) values ($1, $2, $3, $4)',
      values: [tenantId, id, content && JSON.stringify(content), payload && JSON.stringify(payload)],
    });
  }

  /** For a bulk call of which no item was accepted. */
  async delete(tenantId: string, id: string): Promise<void> {
    await this.database.queryForTenant(tenantId, {
      name: 'delete_shared_content',
      text: 'delete from shared_contents where tenant_id = $1 and id = $2', // index: shared_contents_pkey
      values: [tenantId, id],
    });
  }

  /** Index: shared_contents_pkey. */
  async get(tenantId: string, id: string): Promise<StoredSharedContent | null> {
    const [row] = await this.database.queryForTenant<StoredSharedContent>(tenantId, {
      name: 'shared_content',
      text: 'select content, payload::text as payload from shared_contents where tenant_id = $1 and id = $2',
      values: [tenantId, id],
    });
    return row ?? null;
  }
}
