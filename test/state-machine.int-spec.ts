// Random histories of deliveries on a real PostgreSQL: after each step the counters and the status of every notification are what
// a recount of its deliveries gives.

import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import {
  AcceptStore,
  type ClaimedDelivery,
  Database,
  DeadLettersStore,
  DeliveriesStore,
  DueDeliveriesStore,
  NotificationsStore,
  ReceiptsStore,
} from '#database';
import {
  type Attempt,
  type DeliveryState,
  DomainError,
  inAppDeliveryId,
  newId,
  type Outcome,
  PLATFORM_TENANT_ID,
  type ReceiptKind,
  receiptKinds,
} from '#domain';
import { cloneDatabase, connect } from '#testing';
import { newNotification } from './new-notification.js';

type Counts = Record<'succeeded' | 'failed' | 'suppressed' | 'cancelled', number>;

/** Written by hand, so that the test does not repeat an error of the table in libs/domain. */
const COUNTER: Record<DeliveryState, keyof Counts | null> = {
  waiting: null,
  sending: null,
  sent: 'succeeded',
  delivered: 'succeeded',
  bounced: 'failed',
  unknown: 'failed',
  failed: 'failed',
  suppressed: 'suppressed',
  expired: 'suppressed',
  cancelled: 'cancelled',
};

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 6, events: true });
  admin = await connect(clone.url);
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

type Ending =
  | 'sent'
  | 'suppressed'
  | 'downgraded'
  | 'expired'
  | 'held'
  | 'transient'
  | 'resend'
  | 'failed'
  | 'unknown'
  | 'worker lost';

/** `at` selects one of the things that exist: the remainder of a division by their number. */
type Step =
  | { kind: 'accept'; deliveries: number; ordered: boolean }
  | { kind: 'claim'; limit: number }
  | { kind: 'end'; at: number; ending: Ending; begins: boolean }
  | { kind: 'receipt'; at: number; report: ReceiptKind }
  | { kind: 'cancel'; at: number }
  | { kind: 'replay'; at: number }
  | { kind: 'resolve'; at: number; state: 'sent' | 'failed' };

const at = fc.nat(1_000);
const endings: Ending[] = [
  'sent',
  'suppressed',
  'downgraded',
  'expired',
  'held',
  'transient',
  'resend',
  'failed',
  'unknown',
  'worker lost',
];
const steps: {
  [Kind in Step['kind']]: [weight: number, fields: fc.Arbitrary<Omit<Extract<Step, { kind: Kind }>, 'kind'>>];
} = {
  accept: [2, fc.record({ deliveries: fc.integer({ min: 1, max: 3 }), ordered: fc.boolean() })],
  claim: [5, fc.record({ limit: fc.integer({ min: 1, max: 5 }) })],
  end: [8, fc.record({ at, ending: fc.constantFrom(...endings), begins: fc.boolean() })],
  receipt: [5, fc.record({ at, report: fc.constantFrom(...receiptKinds) })],
  cancel: [1, fc.record({ at })],
  replay: [2, fc.record({ at })],
  resolve: [2, fc.record({ at, state: fc.constantFrom('sent', 'failed') })],
};
const step = fc.oneof(
  ...Object.entries(steps).map(([kind, [weight, fields]]) => ({
    weight,
    arbitrary: fields.map((made) => ({ kind, ...made }) as Step),
  })),
);
/** The steps of a group run at the same time. */
const history = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 10, maxLength: 40, size: 'max' });

class History {
  readonly tenantId = newId();
  readonly notifications: string[] = [];
  private readonly deliveries: string[] = [];
  private readonly notificationOf = new Map<string, string>();
  private readonly claimed: ClaimedDelivery[] = [];
  private readonly accepts = new AcceptStore(database, () => undefined);
  private readonly due = new DueDeliveriesStore(database);
  private readonly records = new DeliveriesStore(database, () => undefined);
  private readonly receipts = new ReceiptsStore(database);
  private readonly reads = new NotificationsStore(database);
  private readonly deadLetters = new DeadLettersStore(database, () => undefined);

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case 'accept':
        return await this.accept(step.deliveries, step.ordered);
      case 'claim':
        return await this.claim(step.limit);
      case 'end':
        return await this.end(step);
      case 'receipt': {
        const deliveryId = pick(this.deliveries.slice(-8), step.at);
        const report = { tenantId: this.tenantId, accountId: null, kind: step.report, detail: null };
        if (deliveryId) await this.receipts.apply({ ...report, deliveryId });
        return;
      }
      case 'cancel': {
        const id = pick(this.notifications, step.at);
        if (id) await this.reads.cancel(this.tenantId, id);
        return;
      }
      case 'replay':
        return await this.replay(step.at);
      case 'resolve': {
        const deliveryId = pick(this.deliveries.slice(-8), step.at);
        if (deliveryId) await this.receipts.resolveUnknown(this.tenantId, deliveryId, step.state, null);
        return;
      }
    }
  }

  private async accept(count: number, ordered: boolean): Promise<void> {
    const accepted = newNotification(
      this.tenantId,
      { orderingKey: ordered ? 'key' : null },
      { deliveries: Array.from({ length: count }, newDelivery) },
    );
    await this.accepts.accept(accepted);
    this.notifications.push(accepted.notification.id);
    for (const { id } of accepted.deliveries) {
      this.deliveries.push(id);
      this.notificationOf.set(id, accepted.notification.id);
    }
  }

  private async claim(limit: number): Promise<void> {
    for (const channel of ['email', 'in_app'] as const) {
      const { deliveries } = await this.due.claim({
        channel,
        lane: 2,
        limit,
        claimId: newId(),
        leaseSeconds: 60,
        afterTenant: PLATFORM_TENANT_ID,
        capacities: new Map(),
      });
      this.claimed.push(...deliveries);
    }
  }

  private async end(step: { at: number; ending: Ending; begins: boolean }): Promise<void> {
    // A recent claim is more often still valid.
    const delivery = pick(this.claimed.slice(-5), step.at);
    if (!delivery) return;
    const needsAttempt = !['suppressed', 'downgraded', 'expired', 'held'].includes(step.ending);
    const number =
      needsAttempt || step.begins
        ? await this.due.begin({ delivery, rateLimitConsumed: false, provider: 'sandbox', accountId: null })
        : null;
    if (step.ending === 'worker lost') {
      await admin.query(
        'update due_deliveries set due_at = now() where tenant_id = $1 and delivery_id = $2 and claim_id = $3',
        [this.tenantId, delivery.deliveryId, delivery.claimId],
      );
    } else if (number !== null || !needsAttempt)
      await this.records.record(delivery, this.outcomeOf(delivery, step.ending, number ?? 1));
  }

  private outcomeOf({ deliveryId }: ClaimedDelivery, ending: Exclude<Ending, 'worker lost'>, number: number): Outcome {
    if (ending !== 'downgraded') return outcomeOf(ending, number);
    const notificationId = this.notificationOf.get(deliveryId);
    // The pipeline does not downgrade what is in the inbox.
    if (notificationId === undefined) return outcomeOf('suppressed', number);
    return { kind: 'downgraded', reason: 'quiet_hours', inAppDeliveryId: inAppDeliveryId(notificationId, 'ann') };
  }

  private async replay(at: number): Promise<void> {
    const { rows } = await this.deadLetters.list(this.tenantId, {}, { limit: 50 });
    const letter = pick(rows, at);
    try {
      if (letter) await this.deadLetters.replay(this.tenantId, letter.id, null);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  }

  /** Compares every notification, the queue and the dead letters with the states of the deliveries, and returns these. */
  async check(): Promise<DeliveryState[]> {
    const { rows } = await admin.query<StoredDelivery>(STORED, [this.tenantId]);
    for (const [id, deliveries] of Map.groupBy(rows, (row) => row.notification_id)) {
      const { total, succeeded, failed, suppressed, cancelled, final_status: finalStatus } = deliveries[0]!;
      const expected = recount(deliveries);
      expect({ succeeded, failed, suppressed, cancelled }, id).toEqual(expected);
      expect(total, id).toBe(deliveries.length);
      expect(finalStatus, id).toBe(finalStatusOf(expected, total));
      const read = await this.reads.get(this.tenantId, id);
      const begun = Object.values(expected).some((count) => count > 0) || deliveries.some((row) => row.begun);
      expect(read?.notification.status, id).toBe(finalStatus ?? (begun ? 'active' : 'pending'));
    }
    for (const row of rows) {
      expect(row.is_due, `${row.state}: due row`).toBe(row.state === 'waiting');
      expect(row.open_letters, `${row.state}: dead letters`).toBe(row.state === 'failed' ? 1 : 0);
    }
    return rows.map(({ state }) => state);
  }
}

interface StoredDelivery extends Counts {
  notification_id: string;
  total: number;
  final_status: string | null;
  state: DeliveryState;
  is_due: boolean;
  begun: boolean;
  open_letters: number;
}

const STORED = `
select n.id as notification_id, n.total, n.succeeded, n.failed, n.suppressed, n.cancelled, n.final_status, d.state,
       q.delivery_id is not null as is_due, coalesce(q.claims > 0 or q.attempt > 0, false) as begun,
       (select count(*)::integer from dead_letters l where l.tenant_id = d.tenant_id and l.delivery_id = d.id
          and l.replayed_at is null and l.settled_at is null) as open_letters
from notifications n join deliveries d on d.tenant_id = n.tenant_id and d.notification_id = n.id
left join due_deliveries q on q.tenant_id = d.tenant_id and q.delivery_id = d.id
where n.tenant_id = $1`;

function recount(deliveries: readonly { state: DeliveryState }[]): Counts {
  const counts: Counts = { succeeded: 0, failed: 0, suppressed: 0, cancelled: 0 };
  for (const { state } of deliveries) {
    const counter = COUNTER[state];
    if (counter) counts[counter] += 1;
  }
  return counts;
}

function finalStatusOf({ succeeded, failed, suppressed, cancelled }: Counts, total: number): string | null {
  if (succeeded + failed + suppressed + cancelled < total) return null;
  if (failed > 0) return 'failed';
  if (succeeded > 0) return 'sent';
  return cancelled > 0 ? 'cancelled' : 'suppressed';
}

function pick<T>(items: readonly T[], index: number): T | undefined {
  return items[index % Math.max(1, items.length)];
}

function outcomeOf(ending: Exclude<Ending, 'worker lost' | 'downgraded'>, number: number): Outcome {
  const attempt = (outcome: Attempt['outcome']): Attempt => ({
    number,
    outcome,
    provider: 'sandbox',
    providerAccountId: null,
    providerMessageId: null,
    code: null,
    detail: null,
    durationMs: 1,
  });
  switch (ending) {
    case 'sent':
      return { kind: 'sent', attempt: attempt('sent'), templateVersion: null };
    case 'suppressed':
      return { kind: 'suppressed', reason: 'opted_out' };
    case 'expired':
      return { kind: 'expired' };
    case 'held':
      return { kind: 'held', reason: 'provider_limit', delaySeconds: 0 };
    case 'transient':
      return { kind: 'retry', reason: 'retry', delaySeconds: 0, weight: 1, attempt: attempt('transient') };
    case 'resend':
      return { kind: 'retry', reason: 'retry', delaySeconds: 0, weight: 1, attempt: attempt('unknown') };
    case 'failed':
      return { kind: 'failed', reason: 'rejected', code: null, detail: null, attempt: attempt('rejected') };
    case 'unknown':
      return { kind: 'unknown', detail: 'no answer', attempt: attempt('unknown') };
  }
}

const newDelivery = () => ({ id: newId(), channel: 'email', address: 'ann@example.com', addressFrom: null }) as const;

it('counts every delivery once, in the counter of its state, after any history', async () => {
  const reached = new Set<DeliveryState>();
  await fc.assert(
    fc.asyncProperty(history, async (groups) => {
      const run = new History();
      // Claims are over all tenants: those of earlier histories have nothing due any more.
      await admin.query('delete from due_deliveries');
      await admin.query(`insert into tenants (id, name) values ($1, 'random')`, [run.tenantId]);
      await run.run({ kind: 'accept', deliveries: 3, ordered: false });
      for (const group of groups) {
        await Promise.all(group.map((step) => run.run(step)));
        for (const state of await run.check()) reached.add(state);
      }
    }),
    // Leaves time to report a failure whose history is not yet the shortest.
    { numRuns: 40, interruptAfterTimeLimit: 90_000 },
  );
  // The histories are not trivial: every stored state occurs.
  const stored = Object.keys(COUNTER).filter((state) => state !== 'sending');
  expect([...reached].sort()).toEqual(stored.sort());
}, 120_000);
