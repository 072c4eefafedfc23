import { Batcher } from '../../../batcher.js';
import { columnList } from '../../../column-list.js';
import type { Database } from '../../../database.js';

interface Reservation {
  tenantId: string;
  accountId: string;
  perSecond: number;
}

/** The reservations of one account in a batch; `span` is the time that its sends take at its pace, in seconds. */
interface AccountReservation {
  tenantId: string;
  accountId: string;
  span: number;
}

const reservationColumns = columnList<AccountReservation>({
  tenant_id: ['uuid', (row) => row.tenantId],
  account_id: ['uuid', (row) => row.accountId],
  span: ['double precision', (row) => row.span],
});

/**
 * The pace of provider accounts over all workers: each send reserves the next free time of its account (a leaky bucket
 * as a queue; ITU-T I.371, annex A). Runs as the platform.
 */
export class AccountPacesStore {
  private readonly reservations: Batcher<Reservation, number>;

  constructor(private readonly database: Database) {
    this.reservations = new Batcher({
      flush: (batch) => this.reserveAll(batch),
      slots: 1,
      maxBatch: 1_000,
      maxQueue: 100_000,
    });
  }

  /**
   * Seconds until the send may begin; 0 for now. A reserved time that is not used stays unused: no other send gets it.
   */
  async reserve(reservation: Reservation): Promise<number> {
    return await this.reservations.run(reservation);
  }

  private async reserveAll(batch: readonly Reservation[]): Promise<number[]> {
    const byAccount = Map.groupBy(batch, ({ accountId }) => accountId);
    // In order of id, so that two workers wait for each other instead of deadlocking.
    const reservations = [...byAccount.values()]
      .map(([first, ...others]) => ({ ...first!, span: (1 + others.length) / first!.perSecond }))
      .sort((left, right) => (left.accountId < right.accountId ? -1 : 1));
    const rows = await this.database.platform.query<{ account_id: string; wait_seconds: number }>({
      name: 'reserve_pace',
      text: RESERVE,
      values: reservationColumns.values(reservations),
    });
    const waits = new Map(rows.map((row) => [row.account_id, row.wait_seconds]));
    return batch.map(({ accountId, perSecond }) => {
      const wait = waits.get(accountId)!;
      waits.set(accountId, wait + 1 / perSecond);
      return Math.max(0, wait);
    });
  }
}

/** The wait until the first of the reserved times; the others follow at the pace. Index: account_paces_pkey. */
const RESERVE = `
with input as materialized (
  select * from ${reservationColumns.table('i')}
), reserved as (
  insert into account_paces as p (tenant_id, account_id, next_at)
  select tenant_id, account_id, now() + make_interval(secs => span) from input
  on conflict (tenant_id, account_id) do update set next_at = greatest(p.next_at, now()) + (excluded.next_at - now())
  returning tenant_id, account_id, next_at
)
select r.account_id, extract(epoch from r.next_at - now())::float8 - i.span as wait_seconds
from reserved r join input i on i.tenant_id = r.tenant_id and i.account_id = r.account_id`;
