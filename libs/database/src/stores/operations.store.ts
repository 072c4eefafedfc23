import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../database.js';
import { isNotAdmitted } from '../logins.js';
import { pendingMigrations } from '../migrate.js';
import { ServerTooOld } from '../server-version.js';
import { LOW_HORIZON_DAYS, PartitionsStore } from './clean-up/partitions.store.js';

const READINESS_POLL_MS = 500;

const LOGINS_MISSING =
  'missing, or without their password or rights: run `npm run migrate` with the DATABASE_URL of this process, or set ' +
  'TENANT_DATABASE_URL and PLATFORM_DATABASE_URL';

/** Readiness and table statistics. */
export class OperationsStore {
  private readonly partitions: PartitionsStore;

  constructor(
    private readonly database: Database,
    private readonly migrationsDirectory: string,
  ) {
    this.partitions = new PartitionsStore(database);
  }

  /**
   * Analyses a table that has doubled in size, so that plans for the small table are replaced (docs/adr/0015). Returns
   * the table's name, or null if none has.
   */
  async analyzeGrown(): Promise<string | null> {
    const [row] = await this.database.platform.query<{ grown: string | null }>({
      name: 'analyze_grown',
      text: 'select carillon_analyze_grown() as grown',
    });
    return row!.grown;
  }

  /** Corrects the statistics of a queue full of dead rows, which the planner would take for a small table. */
  async expectRows(): Promise<void> {
    await this.database.platform.query({ name: 'expect_rows', text: 'select carillon_expect_rows()' });
  }

  /**
   * The age in seconds of the oldest open transaction of this database, 0 if there is none. Rows deleted since it began
   * cannot be removed. Excludes standbys, replication slots and transactions that the migrating role cannot see.
   */
  async oldestTransactionSeconds(): Promise<number> {
    const [row] = await this.database.platform.query<{ seconds: number }>({
      name: 'oldest_transaction',
      text: 'select carillon_oldest_transaction_seconds() as seconds',
    });
    return row!.seconds;
  }

  /** Whether the server is reachable and has this program's migrations, with the result of each check. Never throws. */
  async readiness(): Promise<{ ready: boolean; checks: Record<string, string>; refusal?: ServerTooOld }> {
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
      const fault = await this.database.loginFault();
      if (fault !== null)
        return {
          ready: false,
          checks: { postgres: 'ok', migrations: 'current', logins: `${fault}: see docs/architecture.md#roles` },
        };
      return {
        ready: true,
        checks: { postgres: 'ok', migrations: 'current', partitions: horizonText(await this.partitions.horizonDays()) },
      };
    } catch (error) {
      if (error instanceof ServerTooOld) return { ready: false, checks: { postgres: error.message }, refusal: error };
      if (isNotAdmitted(error)) return { ready: false, checks: { postgres: 'ok', logins: LOGINS_MISSING } };
      return { ready: false, checks: { postgres: 'away' } };
    }
  }

  /**
   * Resolves once {@link readiness} is true. Calls `onWait` each time that the checks have changed. Throws
   * {@link ServerTooOld} instead of waiting for a server that never becomes ready.
   */
  async untilReady(onWait: (checks: Record<string, string>) => void): Promise<void> {
    for (let reported = ''; ; await delay(READINESS_POLL_MS)) {
      const { ready, checks, refusal } = await this.readiness();
      if (refusal) throw refusal;
      if (ready) return;
      if (reported !== JSON.stringify(checks)) onWait(checks);
      reported = JSON.stringify(checks);
    }
  }
}

function horizonText(days: number): string {
  if (days >= LOW_HORIZON_DAYS) return 'ok';
  return `warning: made for ${Math.max(0, days).toFixed(1)} more days only; workers log why they cannot make more`;
}
