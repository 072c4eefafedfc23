import { Batcher } from '../batcher.js';
import { columnList } from '../column-list.js';
import type { Database } from '../database.js';
import { type AuditNote, auditStatement, recipientSubject } from './audit/audit-entry.js';
import { recipientHash } from './recipients/recipient.js';

interface RecipientKey {
  tenantId: string;
  recipientId: string;
}

/** When the tokens of a recipient were last revoked. */
interface TokenRevocation {
  /** The recipient's key: {@link revocationKey}. */
  key: string;
  /** Microseconds since 1970, by the clock of the database. */
  revokedAt: number;
}

const keyColumns = columnList<RecipientKey>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  recipient_hash: ['text', ({ tenantId, recipientId }) => recipientHash(tenantId, recipientId)],
});

/** Names a recipient of a tenant. Does not contain the recipient's id, because the row outlives an erasure. */
export function revocationKey(tenantId: string, recipientId: string): string {
  return `${tenantId} ${recipientHash(tenantId, recipientId)}`;
}

const MICROSECONDS = '(extract(epoch from revoked_at) * 1000000)::bigint';

/**
 * Revoked recipient tokens. A row revokes all tokens that were minted before it; a token that is minted later contains
 * its time. Only times of the database's clock are compared. ExpiredRowsStore deletes rows that are older than every
 * token.
 */
export class TokenRevocationsStore {
  private readonly reads: Batcher<RecipientKey, number>;

  constructor(private readonly database: Database) {
    this.reads = new Batcher({
      flush: (keys) => this.read(keys),
      slots: 4,
      maxBatch: 500,
      maxQueue: 100_000,
      repeatable: true,
    });
  }

  /**
   * Revokes all tokens of the recipient. A second revocation in the same microsecond is later than the first. Index:
   * token_revocations_pkey.
   */
  async add(tenantId: string, recipientId: string, audit: AuditNote | null): Promise<void> {
    const revoke = {
      name: 'revoke_tokens',
      text: `insert into token_revocations as r (tenant_id, recipient_hash) values ($1, $2)
             on conflict (tenant_id, recipient_hash) do update
             set revoked_at = greatest(excluded.revoked_at, r.revoked_at + interval '1 microsecond')`,
      values: [tenantId, recipientHash(tenantId, recipientId)],
    };
    const entry = auditStatement(audit, { tenantId, subject: recipientSubject(tenantId, recipientId) });
    await this.database.pipelineForTenant(tenantId, audit ? [revoke, entry] : [revoke]);
  }

  /**
   * The last revocation in microseconds since 1970; 0 without one. Reads those of many requests in one statement.
   * Index: token_revocations_pkey.
   */
  async latest(tenantId: string, recipientId: string): Promise<number> {
    return await this.reads.run({ tenantId, recipientId });
  }

  /**
   * The revocations of all tenants from `since` on, the oldest first, and the `since` of the next call. Null begins
   * now. Every revocation is returned at least once, because a call repeats the last 15 s: the time of a row is the
   * beginning of its transaction, which ends within seconds. Index: token_revocations_revoked_at_idx.
   */
  async since(since: string | null): Promise<{ revocations: TokenRevocation[]; next: string }> {
    const rows = await this.database.platform.query<{ next: string; key: string | null; at: number }>({
      name: 'token_revocations',
      text: `select (now() - interval '15 seconds')::text as next, r.tenant_id || ' ' || r.recipient_hash as key,
                    ${MICROSECONDS} as at
             from (select 1) one left join lateral (
               select tenant_id, recipient_hash, revoked_at from token_revocations
               where revoked_at >= coalesce($1::timestamptz, now() - interval '15 seconds') order by revoked_at
             ) r on true`,
      values: [since],
    });
    return {
      revocations: rows.flatMap(({ key, at }) => (key === null ? [] : [{ key, revokedAt: at }])),
      next: rows[0]!.next,
    };
  }

  private async read(keys: RecipientKey[]): Promise<number[]> {
    const rows = await this.database.platform.query<{ ord: number; at: number }>({
      name: 'latest_token_revocations',
      text: `select i.ord::int as ord, ${MICROSECONDS} as at
             from ${keyColumns.numberedTable('i')}
             join token_revocations r on r.tenant_id = i.tenant_id and r.recipient_hash = i.recipient_hash`,
      values: keyColumns.values(keys),
    });
    const found = new Map(rows.map(({ ord, at }) => [ord - 1, at]));
    return keys.map((_, index) => found.get(index) ?? 0);
  }
}
