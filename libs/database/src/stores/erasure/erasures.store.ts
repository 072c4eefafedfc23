import { NIL_ID, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';
import { repeatConflicts } from '../../outage.js';
import type { PlatformKeys } from '../../secrets/platform-keys.js';
import type { SecretBox } from '../../secrets/secret-box.js';
import type { Statement } from '../../statement.js';
import type { AuditNote } from '../audit/audit-entry.js';
import { eraseAnswers } from './erase-answers.js';
import { ERASE_EVENT_NOTIFICATIONS, ERASE_EVENTS, EVENT_NOTIFICATIONS, EVENTS_EXAMINED } from './erase-events.js';
import { eraseInbox } from './erase-inbox.js';
import {
  ADDRESSES_TOLD,
  ADDRESSES_TOLD_OF_DELIVERIES,
  BATCH,
  eraseNotifications,
  eraseTopicDeliveries,
  NOTIFICATIONS_OF_RECIPIENT,
  TOPIC_DELIVERIES_OF_RECIPIENT,
  VENDOR_TEXTS,
} from './erase-notifications.js';
import {
  ACCOUNT_HEALTH,
  COMPLETE,
  eraseProfile,
  eraseSuppressions,
  FORGET,
  JOBS,
  MAILBOX,
  SCHEDULES,
  TAKE_DUE,
  UPLOAD_LINES,
} from './erase-recipient.js';

interface Erasure {
  tenantId: string;
  recipientId: string;
  /**
   * Notifications that were accepted later belong to a new recipient with the same id. A text of the database, with
   * microseconds.
   */
  requestedAt: string;
  /** Null before the first pass is complete. */
  completedAt: string | null;
}

type Counts = Record<string, number>;

/**
 * Erases the personal data of recipients: profile, devices, preferences and inbox, and the id, address, content and
 * vendors' texts of all notifications, which remain with their states (docs/erasure.md). Works in short transactions,
 * so that a recipient with many notifications does not block sends.
 */
export class ErasuresStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    private readonly keys: Pick<PlatformKeys, 'addressKey'>,
  ) {}

  /** Returns the number of erased rows of each kind, or null if there was none. Throws `unavailable`. */
  async erase(tenantId: string, recipientId: string, audit: AuditNote | null): Promise<Counts | null> {
    const values = [tenantId, recipientId];
    // In a transaction before: notifications that it waits for must not be later than the request.
    const first = await this.run(tenantId, [
      { text: SCHEDULES, values },
      { text: UPLOAD_LINES, values },
    ]);
    const { schedules = 0, excluded = 0, upload_lines = 0 } = first;
    const isKnown = schedules + excluded + upload_lines > 0;
    const { requestedAt, ...profile } = await this.run<Counts & { requestedAt?: string }>(
      tenantId,
      eraseProfile(tenantId, recipientId, isKnown, audit),
    );
    if (requestedAt === undefined) return null;
    const counts = { ...profile, schedules, upload_lines } as Counts;
    await this.eraseRest({ tenantId, recipientId, requestedAt, completedAt: null }, counts);
    return excluded > 0 || Object.values(counts).some((count) => count > 0) ? counts : null;
  }

  /**
   * Completes erasures whose process was lost. Repeats, for the others, the steps that find rows which were written
   * while they ran. Then forgets the recipient. Goes on after a failure: that erasure is due again after its lease.
   * Throws the failures at the end.
   */
  async finishDue(): Promise<void> {
    const failures: Error[] = [];
    for (;;) {
      const taken = await this.database.platform.query<Erasure>({ text: TAKE_DUE });
      for (const erasure of taken) {
        try {
          await this.finish(erasure);
        } catch (error) {
          failures.push(new Error(`An erasure of tenant ${erasure.tenantId} failed.`, { cause: error }));
        }
      }
      if (taken.length === 0) break;
    }
    if (failures.length > 0) throw new AggregateError(failures, `${failures.length} erasures failed; they run later.`);
  }

  private async finish(erasure: Erasure): Promise<void> {
    const { tenantId, recipientId, requestedAt, completedAt } = erasure;
    if (completedAt === null) await this.eraseRest(erasure, {});
    else {
      // A request that was accepted before may have been committed after.
      await this.eraseNotifications(erasure, {});
      await this.eraseTopicSends(erasure, {});
      // Their inbox items may have left a row of counters without items.
      await this.run(tenantId, eraseInbox(tenantId, recipientId, requestedAt));
      await this.eraseLateRows(erasure);
    }
    await this.database.queryForTenant(tenantId, { text: MAILBOX, values: [tenantId, recipientId] });
    await this.database.queryForTenant(tenantId, { text: FORGET, values: [tenantId, recipientId, requestedAt] });
  }

  private async eraseRest(erasure: Erasure, counts: Counts): Promise<void> {
    const { tenantId, recipientId, requestedAt } = erasure;
    await this.eraseNotifications(erasure, counts);
    await this.eraseTopicSends(erasure, counts);
    // After the deliveries are ended, because until then one could insert an inbox item.
    add(counts, await this.run(tenantId, eraseInbox(tenantId, recipientId, requestedAt)));
    // Before the steps that search for addresses, because events contain addresses that nothing else does any more.
    await this.eraseLateRows(erasure);
    add(counts, await this.run(tenantId, eraseSuppressions(tenantId, recipientId, this.keys.addressKey)));
    await eraseAnswers(this.database, this.box, tenantId, recipientId);
    // As the platform, because its accounts send for this tenant too.
    await this.database.platform.query({ text: ACCOUNT_HEALTH, values: [tenantId, recipientId, PLATFORM_TENANT_ID] });
    await this.database.queryForTenant(tenantId, { text: COMPLETE, values: [tenantId, recipientId, requestedAt] });
  }

  private async eraseNotifications({ tenantId, recipientId, requestedAt }: Erasure, counts: Counts): Promise<void> {
    await this.inBatches(BATCH, async (after) => {
      const found = await this.database.queryForTenant<{ id: string }>(tenantId, {
        text: NOTIFICATIONS_OF_RECIPIENT,
        values: [tenantId, recipientId, after, requestedAt],
      });
      const ids = found.map(({ id }) => id);
      if (ids.length === 0) return ids;
      await this.database.platform.query({ text: ADDRESSES_TOLD, values: [tenantId, ids, recipientId] });
      add(counts, await this.run(tenantId, eraseNotifications({ tenantId, recipientId, requestedAt, ids })));
      return ids;
    });
  }

  /**
   * Jobs, and deliveries of sends to topics. A chunk of a job may have read the subscription before it was deleted, so
   * the second pass takes what was created until the first one was complete.
   */
  private async eraseTopicSends(
    { tenantId, recipientId, requestedAt, completedAt }: Erasure,
    counts: Counts,
  ): Promise<void> {
    await this.run(tenantId, [{ text: JOBS, values: [tenantId, recipientId] }]);
    await this.inBatches(BATCH, async (after) => {
      const found = await this.database.queryForTenant<{ id: string }>(tenantId, {
        text: TOPIC_DELIVERIES_OF_RECIPIENT,
        values: [tenantId, recipientId, after, completedAt ?? requestedAt],
      });
      const ids = found.map(({ id }) => id);
      if (ids.length === 0) return ids;
      await this.database.platform.query({
        text: ADDRESSES_TOLD_OF_DELIVERIES,
        values: [tenantId, ids, recipientId],
      });
      add(counts, await this.run(tenantId, eraseTopicDeliveries({ tenantId, recipientId, requestedAt, ids })));
      return ids;
    });
  }

  private async eraseLateRows(erasure: Erasure): Promise<void> {
    const { tenantId, recipientId, requestedAt, completedAt } = erasure;
    let last = '0';
    for (let examined = EVENTS_EXAMINED; examined === EVENTS_EXAMINED; ) {
      const [row] = await this.database.queryForTenant<{ examined: number; last: string | null }>(tenantId, {
        text: ERASE_EVENTS,
        values: [tenantId, recipientId, last, completedAt, requestedAt],
      });
      examined = row!.examined;
      last = row!.last ?? last;
    }
    for (;;) {
      // As the platform: under row-level security no condition on a value inside `payload` can use an index.
      const found = await this.database.platformReads.query<{ id: string }>({
        text: EVENT_NOTIFICATIONS,
        values: [tenantId, recipientId, completedAt, requestedAt],
      });
      if (found.length === 0) break;
      const ids = found.map(({ id }) => id);
      for (let at = 0; at < ids.length; at += BATCH)
        await this.eraseEventNotifications(erasure, ids.slice(at, at + BATCH));
    }
  }

  private async eraseEventNotifications({ tenantId, recipientId }: Erasure, ids: string[]): Promise<void> {
    await this.run(tenantId, [
      ...VENDOR_TEXTS.map((text) => ({ text, values: [tenantId, ids] })),
      { text: ERASE_EVENT_NOTIFICATIONS, values: [tenantId, ids, recipientId] },
    ]);
  }

  /** Calls `erase` with the last id of the batch before until a batch is not full. */
  private async inBatches(size: number, erase: (after: string) => Promise<string[]>): Promise<void> {
    let after = NIL_ID;
    for (let found = size; found === size; ) {
      const ids = await erase(after);
      found = ids.length;
      after = ids.at(-1) ?? after;
    }
  }

  /** The columns of all rows that the statements of one transaction return. */
  private async run<Columns extends object = Counts>(tenantId: string, statements: Statement[]): Promise<Columns> {
    const results = await repeatConflicts(() => this.database.pipelineForTenant<object[][]>(tenantId, statements));
    return Object.assign({}, ...results.flat()) as Columns;
  }
}

function add(counts: Counts, more: Counts): void {
  for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count;
}
