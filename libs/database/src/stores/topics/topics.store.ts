import { newId } from '#domain';
import type { Database } from '../../database.js';
import { afterCursor, type Page, type PageRequest, toPage } from '../../page.js';
import type { Topic, TopicFields } from './topic.js';

const COLUMNS = `key, name, description, subscribers, created_at as "createdAt", updated_at as "updatedAt"`;

export class TopicsStore {
  constructor(private readonly database: Database) {}

  /** Creates or replaces a topic; its subscriptions stay. Index: topics_tenant_id_key_key. */
  async put(
    tenantId: string,
    key: string,
    { name, description }: TopicFields,
  ): Promise<{ topic: Topic; created: boolean }> {
    const [row] = await this.database.queryForTenant<Topic & { created: boolean }>(tenantId, {
      name: 'put_topic',
      text: `insert into topics (tenant_id, id, key, name, description) values ($1, $2, $3, $4, $5)
             on conflict (tenant_id, key) where deleted_at is null
             do update set name = excluded.name, description = excluded.description, updated_at = now()
             returning ${COLUMNS}, xmax = 0 as created`,
      values: [tenantId, newId(), key, name, description],
    });
    const { created, ...topic } = row!;
    return { topic, created };
  }

  /** Index: topics_tenant_id_key_key. */
  async get(tenantId: string, key: string): Promise<Topic | null> {
    const [topic] = await this.database.queryForTenant<Topic>(tenantId, {
      name: 'topic',
      text: `select ${COLUMNS} from topics where tenant_id = $1 and key = $2 and deleted_at is null`,
      values: [tenantId, key],
    });
    return topic ?? null;
  }

  /** By key. Index: topics_tenant_id_key_key. */
  async list(tenantId: string, page: PageRequest): Promise<Page<Topic>> {
    const rows = await this.database.queryForTenant<Topic>(tenantId, {
      name: 'topics',
      text: `select ${COLUMNS} from topics
             where tenant_id = $1 and deleted_at is null and ($2::text is null or key > $2) order by key limit $3`,
      values: [tenantId, afterCursor(page.cursor), page.limit + 1],
    });
    return toPage(rows, page.limit, ({ key }) => key);
  }

  /** A worker deletes the subscriptions afterwards, in batches (ExpiredRowsStore). */
  async delete(tenantId: string, key: string): Promise<boolean> {
    const rows = await this.database.queryForTenant(tenantId, {
      name: 'delete_topic',
      text: `update topics set deleted_at = now()
             where tenant_id = $1 and key = $2 and deleted_at is null returning id`,
      values: [tenantId, key],
    });
    return rows.length > 0;
  }
}
