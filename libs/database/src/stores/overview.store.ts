import type { ChannelId } from '#domain';
import type { Database } from '../database.js';
import { type ChannelFigures, QueueFiguresStore } from './queue/queue-figures.store.js';

/** The figures of the operator's overview page. */
export interface Overview {
  /** The time at which the queue was counted. */
  countedAt: Date;
  channels: ChannelFigures[];
  /** Neither replayed nor resolved; counted up to {@link COUNTED_LETTERS}. */
  deadLetters: number;
  /** The tenants with the most due deliveries; `testOf` is set for a test tenant. */
  tenants: { id: string; name: string; testOf: string | null; due: number }[];
  /** Accounts whose breaker is not closed, the longest first. */
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
const SHOWN_BREAKERS = 100;

/** Index: dead_letters_open_idx. */
const COUNT_OPEN_LETTERS = `
select count(*) as count from (
  select from dead_letters where replayed_at is null and settled_at is null limit ${COUNTED_LETTERS}
) l`;

/** Indexes: provider_account_health_open_idx, provider_accounts_pkey. */
const FAILING_ACCOUNTS = `
select h.tenant_id as "tenantId", h.account_id as "accountId", a.name, a.provider, a.channel, h.breaker, h.code,
       h.detail, h.since
from provider_account_health h
join provider_accounts a on a.tenant_id = h.tenant_id and a.id = h.account_id
where h.breaker <> 'closed' order by h.since limit ${SHOWN_BREAKERS}`;

/** The queue, the dead letters, the busiest tenants and the failing accounts. The cost does not grow with the queue. */
export class OverviewStore {
  private readonly queue: QueueFiguresStore;

  constructor(private readonly database: Database) {
    this.queue = new QueueFiguresStore(database);
  }

  async read(): Promise<Overview> {
    const { platform } = this.database;
    const [{ countedAt, channels, tenants: busiest }, letters, breakers] = await Promise.all([
      this.queue.read(),
      platform.query<{ count: number }>({
        name: 'count_open_letters',
        text: COUNT_OPEN_LETTERS,
      }),
      platform.query<Overview['breakers'][number]>({
        name: 'broken_accounts',
        text: FAILING_ACCOUNTS,
      }),
    ]);
    const tenants = await this.withNames(busiest);
    return { countedAt, channels, deadLetters: letters[0]!.count, tenants, breakers };
  }

  /** Leaves out tenants that were deleted after the count. Index: tenants_pkey. */
  private async withNames(busiest: { id: string; due: number }[]): Promise<Overview['tenants']> {
    if (busiest.length === 0) return [];
    const rows = await this.database.platform.query<{ id: string; name: string; testOf: string | null }>({
      name: 'tenant_names',
      text: 'select id, name, test_of as "testOf" from tenants where id = any ($1::uuid[])',
      values: [busiest.map(({ id }) => id)],
    });
    const tenants = new Map(rows.map((row) => [row.id, row]));
    return busiest.flatMap(({ id, due }) => {
      const tenant = tenants.get(id);
      return tenant ? [{ ...tenant, due }] : [];
    });
  }
}
