import { setTimeout as delay } from 'node:timers/promises';
import { newId, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../database.js';
import { pendingMigrations } from '../migrate.js';
import { PartitionsStore } from './clean-up/partitions.store.js';

const READINESS_POLL_MS = 500;

/** Workers make partitions four weeks ahead: with less than this, something has kept them from it for weeks. */
const LOW_HORIZON_DAYS = 7;

/** Readiness, table statistics and the audit log. */
export class OperationsStore {
  private readonly partitions: PartitionsStore;

  constructor(
    private readonly database: Database,
    private readonly migrationsDirectory: string,
  ) {
    this.partitions = new PartitionsStore(database);
  }

  /** Takes new statistics of a table that has doubled, so that nobody goes on with a plan made for a small one; returns which, or null. */
  async analyzeGrown(): Promise<string | null> {
    const [row] = await this.database.platform.query<{ grown: string | null }>({
      name: 'analyze_grown',
      text: 'select carillon_analyze_grown() as grown',
    });
    return row!.grown;
  }

  /** Keeps the planner from believing that a queue full of dead rows is a small table. */
  async expectRows(): Promise<void> {
    await this.database.platform.query({ name: 'expect_rows', text: 'select carillon_expect_rows()' });
  }

  /**
   * For how long the oldest transaction of this database has been open, in seconds; 0 when none is. Rows that died since it began cannot be removed.
   * Standbys and replication slots do not count, nor do transactions that the role which migrates may not see.
   */
  async oldestTransactionSeconds(): Promise<number> {
    const [row] = await this.database.platform.query<{ seconds: number }>({
      name: 'oldest_transaction',
      text: 'select carillon_oldest_transaction_seconds() as seconds',
    });
    return row!.seconds;
  }

  /** Whether the server is reachable and has the migrations this program wants, and what was found, in words. Never throws. */
  async readiness(): Promise<{ ready: boolean; checks: Record<string, string> }> {
    try {
      await this.database.ping();
      const missing = (
        await pendingMigrations((text) => this.database.platform.query({ text }), this.migrationsDirectory)
      ).length;
      if (missing > 0)
        return {
          ready: false,
          checks: { postgres: 'ok', migrations: `${missing} missing: run \`npm run migrate\`` },
        };
      return {
        ready: true,
        checks: { postgres: 'ok', migrations: 'current', partitions: horizonText(await this.partitions.horizonDays()) },
      };
    } catch {
      return { ready: false, checks: { postgres: 'away' } };
    }
  }

  /** Resolves once {@link readiness} is there; tells each new reason for waiting. */
  async untilReady(tell: (checks: Record<string, string>) => void): Promise<void> {
    for (let told = ''; ; await delay(READINESS_POLL_MS)) {
      const { ready, checks } = await this.readiness();
      if (ready) return;
      if (told !== JSON.stringify(checks)) tell(checks);
      told = JSON.stringify(checks);
    }
  }

  /** Notes an operator's act. */
  async audit(entry: {
    tenantId?: string;
    action: string;
    detail: Record<string, unknown>;
    requestId: string;
  }): Promise<void> {
    await this.database.platform.query({
      text: 'insert into audit_log (tenant_id, id, action, detail, request_id) values ($1, $2, $3, $4, $5)',
      values: [
        entry.tenantId ?? PLATFORM_TENANT_ID,
        newId(),
        entry.action,
        JSON.stringify(entry.detail),
        entry.requestId,
      ],
    });
  }
}

function horizonText(days: number): string {
  if (days >= LOW_HORIZON_DAYS) return 'ok';
  return `warning: made for ${Math.max(0, days).toFixed(1)} more days only; workers log why they cannot make more`;
}
