import { DomainError } from '#domain';
import type { Database } from '../database.js';

export interface StoredResponse {
  status: number;
  body: unknown;
  location: string | null;
}

/** A request runs for seconds. One that has left no answer after this has lost its process. */
const IN_FLIGHT_SECONDS = 60;

/**
 * Idempotency of every POST but the sends (those keep their key in the commit that accepts, see accept.store.ts): the key
 * is taken first, the answer is kept afterwards.
 */
export class IdempotencyStore {
  constructor(private readonly database: Database) {}

  /**
   * Takes the key for the request that `token` (a UUID of its own) stands for. Returns the first answer when there is one; null when the request should run. A key whose request has left no
   * answer is not given again: whether that request acted is not known, and a second one could act twice.
   * Throws `idempotency_mismatch`, `idempotency_in_flight` and `idempotency_unknown`. Index: idempotency_keys_pkey.
   */
  async begin(tenantId: string, key: string, bodyHash: string, token: string): Promise<StoredResponse | null> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const taken = await sql.query({
        text: `insert into idempotency_keys (tenant_id, key, body_hash, token) values ($1, $2, decode($3, 'hex'), $4)
               on conflict (tenant_id, key) do nothing returning key`,
        values: [tenantId, key, bodyHash, token],
      });
      if (taken.length > 0) return null;
      const [found] = await sql.query<{ same: boolean; response: StoredResponse | null; lost: boolean }>({
        text: `select body_hash = decode($3, 'hex') and notification_id is null as same, response,
                      created_at < now() - interval '${IN_FLIGHT_SECONDS} seconds' as lost
               from idempotency_keys where tenant_id = $1 and key = $2`,
        values: [tenantId, key, bodyHash],
      });
      const name = JSON.stringify(key);
      if (found && !found.same)
        throw new DomainError('idempotency_mismatch', `The idempotency key ${name} was used before with another body.`);
      if (found?.response) return found.response;
      if (found?.lost)
        throw new DomainError(
          'idempotency_unknown',
          `The first request with idempotency key ${name} left no answer: it may have been carried out.`,
        );
      throw new DomainError(
        'idempotency_in_flight',
        `The first request with idempotency key ${name} is still running.`,
      );
    });
  }

  /** Keeps the answer, if the key is still that request's. Index: idempotency_keys_pkey. */
  async complete(tenantId: string, key: string, token: string, response: StoredResponse): Promise<void> {
    await this.database.sqlForTenant(tenantId, (sql) =>
      sql.query({
        text: 'update idempotency_keys set response = $4 where tenant_id = $1 and key = $2 and token = $3',
        values: [tenantId, key, token, JSON.stringify(response)],
      }),
    );
  }

  /** The request did nothing: the key is free again, if it is still that request's. Index: idempotency_keys_pkey. */
  async abandon(tenantId: string, key: string, token: string): Promise<void> {
    await this.database.sqlForTenant(tenantId, (sql) =>
      sql.query({
        text: 'delete from idempotency_keys where tenant_id = $1 and key = $2 and token = $3 and response is null',
        values: [tenantId, key, token],
      }),
    );
  }
}
