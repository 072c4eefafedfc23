import { channelOf, type Outcome } from '#domain';
import { Batcher } from '../../batcher.js';
import type { Database } from '../../database.js';
import { hmacPads } from '../../secrets/hashed-address.js';
import type { Statement } from '../../statement.js';
import type { ClaimedDelivery } from '../queue/claimed-delivery.js';
import {
  type ContextRow,
  type DeliveryContext,
  type DeliveryKey,
  keyColumns,
  LOAD_DELIVERIES,
  toContext,
} from './delivery-context.js';
import { WITHOUT_SEND } from './delivery-moves.js';
import { collectItems, type NewItem } from './digests/digest-statements.js';
import { type RecordRow, toRecordRow } from './record.js';
import { digestRecordValues, RECORD, RECORD_DIGESTS, RECORD_DOWNGRADED, recordValues } from './record-statement.js';

interface Batchers {
  load: Batcher<DeliveryKey, DeliveryContext | null>;
  /** True for each row that was written. */
  record: Batcher<RecordRow, boolean>;
  /** Deliveries with ordering keys have batches of their own, because these may wait for a lock. */
  recordOrdered: Batcher<RecordRow, boolean>;
  /** Leaders of digests, each with up to a thousand items. */
  recordDigests: Batcher<RecordRow, boolean>;
  collect: Batcher<NewItem, boolean>;
}

/**
 * Loads and records deliveries for the worker. Runs as the platform, because one batch has deliveries of many tenants.
 */
export class DeliveriesStore {
  /** For the inbox: one statement at a time, so that items are written in the order of their records. */
  private readonly inboxBatchers: Batchers;
  /**
   * For providers, which keep no order anyway: two statements at a time record a sixth more deliveries a second than
   * one.
   */
  private readonly providerBatchers: Batchers;

  constructor(
    private readonly database: Database,
    /** Called after each commit with the recipients who have new inbox items. */
    private readonly onInboxRows: (rows: { tenantId: string; recipientId: string }[]) => void,
    /** The key of hashed addresses; null finds none. A function, because it is read when the database is ready. */
    private readonly addressKey: () => Buffer | null = () => null,
  ) {
    this.inboxBatchers = this.makeBatchers(1);
    this.providerBatchers = this.makeBatchers(2);
  }

  /** Null when the delivery does not exist any more: its partition was dropped, or its tenant deleted. */
  async load(delivery: Pick<ClaimedDelivery, 'tenantId' | 'deliveryId' | 'channel'>): Promise<DeliveryContext | null> {
    return await this.batchersOf(delivery).load.run(delivery);
  }

  /**
   * Writes the outcome of one run of the pipeline in one commit: attempt, state or next due time, counters, dead
   * letter, inbox row and timeline. Returns false when the delivery's claim is lost; then nothing was written.
   */
  async record(delivery: ClaimedDelivery, outcome: Outcome): Promise<boolean> {
    if (outcome.kind === 'claim_lost') return false;
    const { record, recordOrdered, recordDigests, collect } = this.batchersOf(delivery);
    if (outcome.kind === 'collected') return await collect.run({ delivery, collected: outcome });
    if (delivery.digestId) return await recordDigests.run(toRecordRow(delivery, outcome));
    return await (delivery.ordered ? recordOrdered : record).run(toRecordRow(delivery, outcome));
  }

  /** Whether a delivery is final and was not sent. Index: deliveries_pkey. */
  async hasEndedWithoutSend(tenantId: string, deliveryId: string): Promise<boolean> {
    const rows = await this.database.platform.query({
      name: 'has_ended_without_send',
      text: `select 1 from deliveries where tenant_id = $1 and id = $2 and state in ${WITHOUT_SEND}`,
      values: [tenantId, deliveryId],
    });
    return rows.length > 0;
  }

  private makeBatchers(slots: number): Batchers {
    const limits = { slots, maxBatch: 500, maxQueue: 100_000 };
    const flush = (batch: RecordRow[]): Promise<boolean[]> => {
      const isDowngrading = batch.some(({ inAppDeliveryId }) => inAppDeliveryId !== null);
      return this.writeRecords(batch, {
        name: isDowngrading ? 'record_downgraded' : 'record',
        text: isDowngrading ? RECORD_DOWNGRADED : RECORD,
        values: recordValues(batch),
      });
    };
    const flushDigests = (batch: RecordRow[]): Promise<boolean[]> =>
      this.writeRecords(batch, { name: 'record_digests', text: RECORD_DIGESTS, values: digestRecordValues(batch) });
    const flushItems = (batch: NewItem[]): Promise<boolean[]> => collectItems(this.database.platform, batch);
    return {
      load: new Batcher({ flush: (keys) => this.readContexts(keys), repeatable: true, ...limits }),
      record: new Batcher({ flush, ...limits }),
      recordOrdered: new Batcher({ flush, ...limits, slots: 1 }),
      recordDigests: new Batcher({ flush: flushDigests, ...limits, maxBatch: 100 }),
      collect: new Batcher({ flush: flushItems, ...limits }),
    };
  }

  private batchersOf(delivery: Pick<ClaimedDelivery, 'channel'>): Batchers {
    return channelOf(delivery.channel).sends === 'inbox' ? this.inboxBatchers : this.providerBatchers;
  }

  private async readContexts(keys: readonly DeliveryKey[]): Promise<(DeliveryContext | null)[]> {
    const key = this.addressKey();
    const rows = await this.database.platformReads.query<ContextRow>({
      name: 'load_deliveries',
      text: LOAD_DELIVERIES,
      values: [...keyColumns.values(keys), key && hmacPads(key)],
    });
    const found = new Map(rows.map((row) => [row.delivery_id, toContext(row)]));
    return keys.map((key) => found.get(key.deliveryId) ?? null);
  }

  private async writeRecords(batch: RecordRow[], statement: Statement): Promise<boolean[]> {
    const rows = await this.database.platform.query<{ delivery_id: string }>(statement);
    const recorded = new Set(rows.map((row) => row.delivery_id));
    const inbox = batch.flatMap((row) =>
      row.inbox && recorded.has(row.deliveryId) ? [{ tenantId: row.tenantId, recipientId: row.inbox.recipientId }] : [],
    );
    if (inbox.length > 0) this.onInboxRows(inbox);
    return batch.map((row) => recorded.has(row.deliveryId));
  }
}
