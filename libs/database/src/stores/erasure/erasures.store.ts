import { channelIds, NIL_ID, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';
import type { SecretBox } from '../../secrets/secret-box.js';
import type { Statement } from '../../statement.js';
import type { AuditNote } from '../audit/audit-entry.js';
import { eraseAnswers } from './erase-answers.js';
import {
  ERASE_EVENT_NOTIFICATIONS,
  ERASE_EVENTS,
  EVENT_BATCH,
  EVENT_NOTIFICATIONS,
  EVENTS_EXAMINED,
} from './erase-events.js';
import { BATCH, eraseNotifications, NOTIFICATIONS_OF_RECIPIENT, VENDOR_TEXTS } from './erase-notifications.js';
import {
  ACCOUNT_HEALTH,
  COMPLETE,
  DUE_ERASURES,
  eraseInbox,
  eraseProfile,
  FORGET,
  MAILBOX,
  SUPPRESSIONS,
} from './erase-recipient.js';

interface Erasure {
  tenantId: string;
  recipientId: string;
  /** Notifications that were accepted later belong to a new recipient with the same id. */
  requestedAt: Date;
  /** Null before the first pass is complete. */
  completedAt: Date | null;
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
  ) {}

  /** Returns the number of erased rows of each kind, or null if there was none. Throws `unavailable`. */
  async erase(tenantId: string, recipientId: string, audit: AuditNote | null): Promise<Counts | null> {
    const [[started], , [profile]] = await this.database.pipelineForTenant<[{ requestedAt: Date }[], [], Counts[]]>(
      tenantId,
      eraseProfile(tenantId, recipientId, audit),
    );
    const counts = { ...profile };
    const { requestedAt } = started!;
    await this.eraseRest({ tenantId, recipientId, requestedAt, completedAt: null }, counts);
    return Object.values(counts).some((count) => count > 0) ? counts : null;
  }

  /**
   * Completes erasures whose process was lost. Repeats, for the others, the steps that find rows which were written
   * while they ran. Then forgets the recipient. Returns the number of erasures.
   */
  async finishDue(): Promise<number> {
    const due = await this.database.platform.query<Erasure>({ text: DUE_ERASURES });
    for (const erasure of due) {
      const { tenantId, recipientId } = erasure;
      if (erasure.completedAt === null) await this.eraseRest(erasure, {});
      else await this.eraseLateRows(erasure);
      await this.database.queryForTenant(tenantId, { text: MAILBOX, values: [tenantId, recipientId] });
      await this.forget(tenantId, recipientId);
    }
    return due.length;
  }

  private async eraseRest(erasure: Erasure, counts: Counts): Promise<void> {
    const { tenantId, recipientId, requestedAt } = erasure;
    await this.inBatches(BATCH, async (after) => {
      const ids = await this.ids(tenantId, NOTIFICATIONS_OF_RECIPIENT, [recipientId, after, requestedAt]);
      if (ids.length > 0) add(counts, await this.run(tenantId, eraseNotifications(tenantId, recipientId, ids)));
      return ids;
    });
    // After the deliveries are ended, because until then one could insert an inbox item.
    add(counts, await this.run(tenantId, eraseInbox(tenantId, recipientId)));
    await this.database.queryForTenant(tenantId, { text: SUPPRESSIONS, values: [tenantId, recipientId, channelIds] });
    await eraseAnswers(this.database, this.box, tenantId, recipientId);
    // As the platform, because its accounts send for this tenant too.
    await this.database.platform.query({ text: ACCOUNT_HEALTH, values: [tenantId, recipientId, PLATFORM_TENANT_ID] });
    await this.eraseLateRows(erasure);
    await this.database.queryForTenant(tenantId, { text: COMPLETE, values: [tenantId, recipientId] });
  }

  private async eraseLateRows({ tenantId, recipientId, completedAt }: Erasure): Promise<void> {
    let last = '0';
    for (let examined = EVENTS_EXAMINED; examined === EVENTS_EXAMINED; ) {
      const [row] = await this.database.queryForTenant<{ examined: number; last: string | null }>(tenantId, {
        text: ERASE_EVENTS,
        values: [tenantId, recipientId, last, completedAt],
      });
      examined = row!.examined;
      last = row!.last ?? last;
    }
    await this.inBatches(EVENT_BATCH, async (after) => {
      const ids = await this.ids(tenantId, EVENT_NOTIFICATIONS, [recipientId, after, completedAt]);
      const statements = [
        ...VENDOR_TEXTS.map((text) => ({ text, values: [tenantId, ids] })),
        { text: ERASE_EVENT_NOTIFICATIONS, values: [tenantId, ids, recipientId] },
      ];
      if (ids.length > 0) await this.run(tenantId, statements);
      return ids;
    });
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

  private async ids(tenantId: string, text: string, values: unknown[]): Promise<string[]> {
    const rows = await this.database.queryForTenant<{ id: string }>(tenantId, { text, values: [tenantId, ...values] });
    return rows.map(({ id }) => id);
  }

  private async run(tenantId: string, statements: Statement[]): Promise<Counts> {
    const results = await this.database.pipelineForTenant<Counts[][]>(tenantId, statements);
    return Object.assign({}, ...results.flat()) as Counts;
  }

  private async forget(tenantId: string, recipientId: string): Promise<void> {
    await this.database.queryForTenant(tenantId, { text: FORGET, values: [tenantId, recipientId] });
  }
}

function add(counts: Counts, more: Counts): void {
  for (const [name, count] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + count;
}
