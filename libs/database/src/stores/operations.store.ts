import { setTimeout as delay } from 'node:timers/promises';
import { type ChannelId, newId, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../database.js';
import { pendingMigrations } from '../migrate.js';

const READINESS_POLL_MS = 500;
const SLICE = 5_000;
const EXPIRING = [
  { table: 'idempotency_keys', condition: `created_at < now() - interval '48 hours'` },
  // Left over where Kafka was configured once and is not any more.
  { table: 'events', condition: `created_at < now() - interval '7 days'` },
  { table: 'poison_messages', condition: `created_at < now() - interval '30 days'` },
  { table: 'rate_windows', condition: 'expires_at < now()' },
  { table: 'used_tokens', condition: 'expires_at < now()' },
] as const;

export interface QueueFigures {
  channel: ChannelId;
  /** Not final. */
  waiting: number;
  /** Due now and not claimed. */
  due: number;
  inFlight: number;
  oldestDueSeconds: number;
}

/** What keeps the house in order: partitions, old rows, figures, audit. */
export class OperationsStore {
  constructor(
    private readonly database: Database,
    private readonly migrationsDirectory: string,
  ) {}

  /** Makes missing partitions; returns how many. */
  async makePartitions(): Promise<number> {
    const [row] = await this.database.platform.query<{ made: number }>({
      text: 'select carillon_make_partitions() as made',
    });
    return row!.made;
  }

  /**
   * Deletes what has served its time: idempotency keys after two days, spent limiter windows and tokens. In slices, each a
   * short statement of its own, so that it keeps up with a flood and never runs into a time-out. Returns how many rows.
   */
  async deleteExpired(): Promise<number> {
    let deleted = 0;
    for (const { table, condition } of EXPIRING) {
      for (let slice = SLICE; slice === SLICE; deleted += slice) {
        const rows = await this.database.platform.query<{ count: number }>({
          text: `with gone as (
                   delete from ${table} where ctid = any (array(select ctid from ${table} where ${condition} limit ${SLICE})) returning 1
                 ) select count(*) as count from gone`,
        });
        slice = rows[0]!.count;
      }
    }
    return deleted;
  }

  /** The queue by channel: one pass over the hot table, which holds only what is not final. */
  async queueFigures(): Promise<QueueFigures[]> {
    return await this.database.platform.query<QueueFigures>({
      text: `select channel, count(*) as waiting,
                    count(*) filter (where due_at <= now()) as due,
                    count(*) filter (where claim_id is not null and due_at > now()) as "inFlight",
                    coalesce(extract(epoch from now() - min(due_at) filter (where due_at <= now())), 0)::float8 as "oldestDueSeconds"
             from due_deliveries group by channel`,
    });
  }

  /** Whether the server is reachable and has the migrations this program wants, and what was found, in words. Never throws. */
  async readiness(): Promise<{ ready: boolean; checks: Record<string, string> }> {
    try {
      await this.database.ping();
      const missing = (
        await pendingMigrations((text) => this.database.platform.query({ text }), this.migrationsDirectory)
      ).length;
      return {
        ready: missing === 0,
        checks: {
          postgres: 'ok',
          migrations: missing === 0 ? 'current' : `${missing} missing: run \`npm run migrate\``,
        },
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
