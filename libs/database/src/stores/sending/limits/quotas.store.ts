import type { Quota, QuotaPeriod } from '#domain';
import { Batcher } from '../../../batcher.js';
import { columnList } from '../../../column-list.js';
import type { Database } from '../../../database.js';
import { emit } from '../emit-events.js';

interface QuotaRequest {
  tenantId: string;
  /** At least one. */
  quotas: readonly Quota[];
}

/** `secondsLeft`: until the end of the periods that have nothing left. */
export type QuotaAnswer = { granted: true } | { granted: false; period: QuotaPeriod; secondsLeft: number };

export interface QuotaUsage {
  period: QuotaPeriod;
  used: number;
  endsAt: Date;
}

export interface QuotaWarning {
  tenantId: string;
  period: QuotaPeriod;
  percent: number;
}

interface TakenRow {
  tenant_id: string;
  granted: number;
  period: QuotaPeriod;
  has_rest: boolean;
  seconds_left: number;
  warning: number | null;
}

interface TenantRequest extends QuotaRequest {
  wanted: number;
}

interface Return {
  tenantId: string;
  takenAfter: Date;
}

const requestColumns = columnList<TenantRequest>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  wanted: ['integer', ({ wanted }) => wanted],
  // Each is an array in the text format, because the arrays of all tenants cannot be one parameter.
  periods: ['text', ({ quotas }) => arrayText(quotas.map(({ period }) => period))],
  allowed: ['text', ({ quotas }) => arrayText(quotas.map(({ allowed }) => allowed))],
  starts: ['text', ({ quotas }) => arrayText(quotas.map(({ starts }) => `"${arrayText(starts.map(timeText))}"`))],
});

const returnColumns = columnList<Return>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  taken_after: ['timestamptz', ({ takenAfter }) => takenAfter],
});

/**
 * Counts the deliveries of tenants with quotas. One statement counts those of many deliveries, so that the row of a
 * tenant is written once for each batch. Runs as the platform, because one batch has deliveries of many tenants.
 */
export class QuotasStore {
  private readonly takes: Batcher<QuotaRequest, QuotaAnswer>;
  private readonly returns: Batcher<Return, void>;

  constructor(
    private readonly database: Database,
    private readonly onWarning: (warning: QuotaWarning) => void = () => undefined,
  ) {
    const limits = { slots: 1, maxBatch: 500, maxQueue: 100_000 };
    this.takes = new Batcher({ flush: (batch) => this.takeAll(batch), ...limits });
    this.returns = new Batcher({ flush: (batch) => this.giveAllBack(batch), ...limits });
  }

  /** Counts a delivery, or refuses it without counting it. */
  async take(tenantId: string, quotas: readonly Quota[]): Promise<QuotaAnswer> {
    return await this.takes.run({ tenantId, quotas });
  }

  /** A delivery that was counted after this time was not sent. Has no effect on a period that began later. */
  async giveBack(tenantId: string, takenAfter: Date): Promise<void> {
    await this.returns.run({ tenantId, takenAfter });
  }

  /** The periods of a tenant that have begun and not ended. Index: quota_usage_pkey. */
  async usage(tenantId: string): Promise<QuotaUsage[]> {
    return await this.database.platform.query<QuotaUsage>({
      name: 'quota_usage',
      text: `select period, used::float8 as used, ends_at as "endsAt" from quota_usage
             where tenant_id = $1 and ends_at > now()`,
      values: [tenantId],
    });
  }

  private async takeAll(batch: QuotaRequest[]): Promise<QuotaAnswer[]> {
    const byTenant = Map.groupBy(batch, ({ tenantId }) => tenantId);
    const requests = [...byTenant.values()].map((asked) => ({ ...asked.at(-1)!, wanted: asked.length }));
    const rows = await this.database.platform.query<TakenRow>({
      name: 'take_quotas',
      text: TAKE,
      values: requestColumns.values(requests),
    });
    const taken = Map.groupBy(rows, (row) => row.tenant_id);
    for (const row of rows)
      if (row.warning !== null) this.onWarning({ tenantId: row.tenant_id, period: row.period, percent: row.warning });
    const left = new Map(rows.map((row) => [row.tenant_id, row.granted]));
    return batch.map(({ tenantId }) => {
      const granted = left.get(tenantId)!;
      left.set(tenantId, granted - 1);
      return granted > 0 ? { granted: true } : refusal(taken.get(tenantId)!);
    });
  }

  private async giveAllBack(batch: Return[]): Promise<void[]> {
    await this.database.platform.query({
      name: 'give_quotas_back',
      text: GIVE_BACK,
      values: returnColumns.values(batch),
    });
    return batch.map(() => undefined);
  }
}

function refusal(rows: readonly TakenRow[]): QuotaAnswer {
  const [last] = rows.filter((row) => !row.has_rest).toSorted((a, b) => b.seconds_left - a.seconds_left);
  return { granted: false, period: last!.period, secondsLeft: last!.seconds_left };
}

const arrayText = (values: readonly (string | number)[]): string => `{${values.join(',')}}`;
const timeText = (ms: number): string => new Date(ms).toISOString();

/** Locks the rows in the order of tenants and periods. Index: quota_usage_pkey. */
const TAKE = `
with asked as materialized (
  select * from ${requestColumns.table('i')} order by tenant_id
), taken as materialized (
  select a.tenant_id, t.granted, t.counted as period, t.used, t.most, t.ends_at, t.warning
  from asked a
  cross join lateral carillon_take_quota(a.tenant_id, a.wanted, a.periods::text[], a.allowed::bigint[],
                                         a.starts::text[]) t
), warning_events as (
  ${emit(`
    select tenant_id, 'quota.warning', null, period,
           jsonb_build_object('period', period, 'percent', warning, 'used', used, 'allowed', most,
                              'ends_at', to_char(ends_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    from taken where warning is not null`)}
)
select tenant_id, granted, period, used < most as has_rest, warning,
       extract(epoch from ends_at - clock_timestamp())::float8 as seconds_left
from taken`;

/** Locks the rows as TAKE does. Index: quota_usage_pkey. */
const GIVE_BACK = `
with returned as materialized (
  select tenant_id, taken_after from ${returnColumns.table('i')}
), locked as materialized (
  select u.tenant_id, u.period, u.starts_at from quota_usage u
  where u.tenant_id in (select tenant_id from returned) order by u.tenant_id, u.period for update
)
update quota_usage u set used = greatest(0, u.used - c.deliveries)
from (
  select l.tenant_id, l.period, count(*) as deliveries
  from locked l join returned r on r.tenant_id = l.tenant_id and r.taken_after >= l.starts_at
  group by l.tenant_id, l.period
) c
where u.tenant_id = c.tenant_id and u.period = c.period`;
