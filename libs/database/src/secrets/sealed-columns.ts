/** A column with sealed secrets. The place of a secret is its tenant, the table and `id`. */
export interface SealedColumn {
  table: string;
  column: string;
  /** The second column of the primary key, after tenant_id. */
  id: string;
  idType: 'uuid' | 'text';
}

/**
 * Every column with sealed secrets; test/sealed-columns.int-spec.ts compares it with the database. In the order in
 * which `rewrapSecrets` handles them: `platform_keys` comes last, because a process that cannot open these keys
 * refuses to start, so no process starts with the new master key alone before everything else is re-wrapped.
 */
export const sealedColumns: readonly SealedColumn[] = [
  { table: 'provider_accounts', column: 'credentials_sealed', id: 'id', idType: 'uuid' },
  { table: 'webhook_endpoints', column: 'secret_sealed', id: 'id', idType: 'uuid' },
  { table: 'webhook_endpoints', column: 'old_secret_sealed', id: 'id', idType: 'uuid' },
  { table: 'idempotency_keys', column: 'response_sealed', id: 'key', idType: 'text' },
  { table: 'platform_keys', column: 'key_sealed', id: 'id', idType: 'text' },
];
