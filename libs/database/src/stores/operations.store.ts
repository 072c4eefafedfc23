import { setTimeout as delay } from 'node:timers/promises';
import { type ChannelId, newId, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../database.js';
import { pendingMigrations } from '../migrate.js';
import { PartitionsStore } from './clean-up/partitions.store.js';

const READINESS_POLL_MS = 500;
export interface QueueFigures {
  channel: ChannelId;
  /** Not final. */
  waiting: number;
  /** Due now and not claimed. */
  due: number;
  inFlight: number;
  oldestDueSeconds: number;
}

/** What an operator looks at first. */
export interface Overview {
  channels: QueueFigures[];
  /** Unreplayed; counted up to {@link COUNTED_LETTERS}. */
  deadLetters: number;
  /** Those with the most that is due. */
  tenants: { id: string; name: string; due: number }[];
  /** Accounts that do not work, longest first. */
  breakers: {
    tenantId: string;
    accountId: string;
    name: string;
    provider: string;
    channel: ChannelId;
    breaker: 'half_open' | 'open';
    code: string | null;
    detail: string | null;
    since: Date;
  }[];
}

const COUNTED_LETTERS = 10_000;
const SHOWN_TENANTS = 20;
const SHOWN_BREAKERS = 100;

/** Workers make partitions four weeks ahead: with less than this, something has kept them from it for weeks. */
const LOW_HORIZON_DAYS = 7;

/** What keeps the house in order: readiness, figures, audit. */
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

  /** The queue, the dead letters, the busiest tenants and the accounts that do not work. Everything is bounded by what is not final. */
  async overview(): Promise<Overview> {
    const { platform } = this.database;
    const [channels, letters, tenants, breakers] = await Promise.all([
      this.queueFigures(),
      platform.query<{ count: number }>({
        text: `select count(*) as count from (select from dead_letters where replayed_at is null and settled_at is null limit ${COUNTED_LETTERS}) l`,
      }),
      platform.query<Overview['tenants'][number]>({
        text: `select t.id, t.name, q.due from (
                 select tenant_id, count(*) as due from due_deliveries where due_at <= now() group by tenant_id order by count(*) desc limit ${SHOWN_TENANTS}
               ) q join tenants t on t.id = q.tenant_id order by q.due desc`,
      }),
      platform.query<Overview['breakers'][number]>({
        text: `select h.tenant_id as "tenantId", h.account_id as "accountId", a.name, a.provider, a.channel, h.breaker, h.code, h.detail, h.since
               from provider_account_health h join provider_accounts a on a.tenant_id = h.tenant_id and a.id = h.account_id
               where h.breaker <> 'closed' order by h.since limit ${SHOWN_BREAKERS}`, // index: provider_account_health_open_idx
      }),
    ]);
    return { channels, deadLetters: letters[0]!.count, tenants, breakers };
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
