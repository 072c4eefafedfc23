import type { Database } from '../../database.js';
import { type Batch, CleanUp } from './clean-up.js';

/**
 * Deletes entries of the audit log after AUDIT_RETENTION_DAYS. A function of the owner does it, because the roles of
 * the application may not delete entries.
 */
export class AuditRetentionStore {
  readonly cleanUps: readonly CleanUp[];

  constructor(
    private readonly database: Database,
    private readonly days: number,
  ) {
    this.cleanUps = [new CleanUp('audit_log', () => this.parts())];
  }

  private async *parts(): AsyncGenerator<Batch> {
    yield async (size) => {
      const [row] = await this.database.platform.query<{ deleted: number }>({
        text: 'select carillon_prune_audit_log($1, $2) as deleted',
        values: [this.days, size],
      });
      return { deleted: row!.deleted, done: row!.deleted < size };
    };
  }
}
