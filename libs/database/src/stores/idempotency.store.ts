import { DomainError } from '#domain';
import type { Database } from '../database.js';
import type { SecretBox, SecretPlace } from '../secrets/secret-box.js';

export interface StoredResponse {
  status: number;
  body: unknown;
  location: string | null;
}

/** Requests take seconds at most: if one has stored no response by then, its process was lost. */
const IN_FLIGHT_SECONDS = 60;

/**
 * Idempotency of all POST requests except sends, which store their key in the commit that accepts them (see
 * accept.store.ts). Takes the key before the request runs and stores the response afterwards, sealed: it may contain a
 * webhook secret or a recipient token.
 */
export class IdempotencyStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /**
   * Takes the key for the request with the unique `token` (a UUID). Returns the stored response of an earlier request,
   * or null if this request should run. Never frees the key of a request without a response: that request may have had
   * its effect, and a second run would repeat it. Throws `idempotency_mismatch`,
   * `idempotency_in_flight` or `idempotency_unknown`. Index: idempotency_keys_pkey.
   */
  async begin(tenantId: string, key: string, bodyHash: string, token: string): Promise<StoredResponse | null> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const taken = await sql.query({
        text: `insert into idempotency_keys (tenant_id, key, body_hash, token) values ($1, $2, decode($3, 'hex'), $4)
               on conflict (tenant_id, key) do nothing returning key`,
        values: [tenantId, key, bodyHash, token],
      });
      if (taken.length > 0) return null;
      const [found] = await sql.query<{ same: boolean; sealed: string | null; lost: boolean }>({
        text: `select body_hash = decode($3, 'hex') and notification_id is null as same, response_sealed as sealed,
                      created_at < now() - interval '${IN_FLIGHT_SECONDS} seconds' as lost
               from idempotency_keys where tenant_id = $1 and key = $2`,
        values: [tenantId, key, bodyHash],
      });
      const name = JSON.stringify(key);
      if (found && !found.same)
        throw new DomainError('idempotency_mismatch', `The idempotency key ${name} was used before with another body.`);
      if (found?.sealed) return JSON.parse(this.box.open(found.sealed, placeOfAnswer(tenantId, key))) as StoredResponse;
      if (found?.lost)
        throw new DomainError(
          'idempotency_unknown',
          `The first request with idempotency key ${name} has no response: it may have been carried out.`,
        );
      throw new DomainError(
        'idempotency_in_flight',
        `The first request with idempotency key ${name} is still running.`,
      );
    });
  }

  /** Stores the response, if the key still belongs to this request. Index: idempotency_keys_pkey. */
  async complete(tenantId: string, key: string, token: string, response: StoredResponse): Promise<void> {
    await this.database.sqlForTenant(tenantId, (sql) =>
      sql.query({
        text: 'update idempotency_keys set response_sealed = $4 where tenant_id = $1 and key = $2 and token = $3',
        values: [tenantId, key, token, this.box.seal(JSON.stringify(response), placeOfAnswer(tenantId, key))],
      }),
    );
  }

  /** Frees the key of a request that had no effect, if the key still belongs to it. Index: idempotency_keys_pkey. */
  async abandon(tenantId: string, key: string, token: string): Promise<void> {
    await this.database.sqlForTenant(tenantId, (sql) =>
      sql.query({
        text: `delete from idempotency_keys
               where tenant_id = $1 and key = $2 and token = $3 and response_sealed is null`,
        values: [tenantId, key, token],
      }),
    );
  }
}

/** The place of a sealed response. */
export function placeOfAnswer(tenantId: string, key: string): SecretPlace {
  return { tenantId, table: 'idempotency_keys', id: key };
}
