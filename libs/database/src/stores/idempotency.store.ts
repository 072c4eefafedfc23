import { DomainError } from '#domain';
import type { Database } from '../database.js';

export interface StoredResponse {
  status: number;
  body: unknown;
  location: string | null;
}

/** After this a request that left no answer is taken for dead. */
const IN_FLIGHT_SECONDS = 60;

/**
 * Idempotency of every POST but the sends (those keep their key in the commit that accepts, see accept.store.ts): the key
 * is taken first, the answer is kept afterwards.
 */
export class IdempotencyStore {
  constructor(private readonly database: Database) {}

  /**
   * Takes the key. Returns the first answer when there is one; null when the request should run.
   * Throws `idempotency_mismatch` and `idempotency_in_flight`.
   */
  async begin(tenantId: string, key: string, bodyHash: string): Promise<StoredResponse | null> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const taken = await sql.query({
        text: `insert into idempotency_keys as k (tenant_id, key, body_hash) values ($1, $2, decode($3, 'hex'))
               on conflict (tenant_id, key) do update set created_at = now()
               where k.response is null and k.notification_id is null and k.body_hash = excluded.body_hash and k.created_at < now() - interval '${IN_FLIGHT_SECONDS} seconds'
               returning key`,
        values: [tenantId, key, bodyHash],
      });
      if (taken.length > 0) return null;
      const [found] = await sql.query<{ same: boolean; response: StoredResponse | null }>({
        text: `select body_hash = decode($3, 'hex') as same, response from idempotency_keys where tenant_id = $1 and key = $2`,
        values: [tenantId, key, bodyHash],
      });
      if (!found?.same)
        throw new DomainError(
          'idempotency_mismatch',
          `The idempotency key ${JSON.stringify(key)} was used before with another body.`,
        );
      if (!found.response)
        throw new DomainError(
          'idempotency_in_flight',
          `The first request with idempotency key ${JSON.stringify(key)} is still running.`,
        );
      return found.response;
    });
  }

  async complete(tenantId: string, key: string, response: StoredResponse): Promise<void> {
    await this.database.sqlForTenant(tenantId, (sql) =>
      sql.query({
        text: 'update idempotency_keys set response = $3 where tenant_id = $1 and key = $2',
        values: [tenantId, key, JSON.stringify(response)],
      }),
    );
  }

  /** The request ended without an answer worth keeping. */
  async abandon(tenantId: string, key: string): Promise<void> {
    await this.database.sqlForTenant(tenantId, (sql) =>
      sql.query({
        text: 'delete from idempotency_keys where tenant_id = $1 and key = $2 and response is null and notification_id is null',
        values: [tenantId, key],
      }),
    );
  }
}
