import { PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';

/** A message that no consumer could process, and its position. */
export interface PoisonMessageRow {
  topic: string;
  partition: number;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  reason: string;
  createdAt: Date;
}

const KEPT_BYTES = 65_536;

/** Messages that no consumer could process. Their tenant cannot be read from them, so they belong to the platform. */
export class PoisonMessagesStore {
  constructor(private readonly database: Database) {}

  /** Stores a message once for its position; keeps its first 64 kB. */
  async note(message: Omit<PoisonMessageRow, 'createdAt'>): Promise<void> {
    await this.database.platform.query({
      text: `insert into poison_messages (tenant_id, topic, "partition", "offset", key, value, reason)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict do nothing`,
      values: [
        PLATFORM_TENANT_ID,
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value?.subarray(0, KEPT_BYTES) ?? null,
        message.reason,
      ],
    });
  }

  /** Newest first, at most `limit`. Index: poison_messages_created_at_idx. */
  async list(limit: number): Promise<PoisonMessageRow[]> {
    return await this.database.platform.query<PoisonMessageRow>({
      text: `select topic, "partition", "offset"::text as offset, key, value, reason, created_at as "createdAt"
             from poison_messages order by created_at desc limit $1`,
      values: [limit],
    });
  }
}
