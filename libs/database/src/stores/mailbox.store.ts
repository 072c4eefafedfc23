import { type ChannelId, newId } from '#domain';
import { Batcher } from '../batcher.js';
import { columnList } from '../column-list.js';
import { json } from '../columns.js';
import type { Database } from '../database.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../page.js';

export interface MailboxMessage {
  id: string;
  channel: ChannelId;
  to: string;
  deliveryId: string;
  notificationId: string;
  message: Record<string, unknown>;
  outcome: string;
  createdAt: Date;
}

export interface Deposit {
  tenantId: string;
  channel: ChannelId;
  to: string;
  deliveryId: string;
  notificationId: string;
  message: Record<string, unknown>;
  outcome: string;
}

/** The number of messages that a tenant's mailbox keeps. */
export const MAILBOX_SIZE = 1_000;
const TRIMMED_AT_ONCE = 1_000;

const depositColumns = columnList<Deposit>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  id: ['uuid', () => newId()],
  channel: ['text', ({ channel }) => channel],
  recipient_address: ['text', ({ to }) => to],
  delivery_id: ['uuid', ({ deliveryId }) => deliveryId],
  notification_id: ['uuid', ({ notificationId }) => notificationId],
  message: ['text', ({ message }) => json(message)],
  outcome: ['text', ({ outcome }) => outcome],
});

/** Messages captured by the sandbox. */
export class MailboxStore {
  private readonly deposits: Batcher<Deposit, void>;
  /** Tenants whose mailboxes were written to since the last call of `trim`. */
  private readonly written = new Set<string>();

  constructor(private readonly database: Database) {
    this.deposits = new Batcher({ flush: (batch) => this.write(batch), slots: 2, maxBatch: 500, maxQueue: 100_000 });
  }

  async deposit(message: Deposit): Promise<void> {
    await this.deposits.run(message);
  }

  async list(
    tenantId: string,
    filter: { channel?: string | undefined; to?: string | undefined },
    page: PageRequest,
  ): Promise<Page<MailboxMessage>> {
    const { where, ...slice } = newestFirst(page);
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.mailboxMessage.findMany({
        where: {
          tenantId,
          ...(filter.channel !== undefined && { channel: filter.channel }),
          ...(filter.to !== undefined && { recipientAddress: filter.to }),
          ...where,
        },
        ...slice,
      }),
    );
    return toPage(rows.map(toMessage), page.limit, (row) => row.id);
  }

  async get(tenantId: string, id: string): Promise<MailboxMessage | null> {
    const row = await this.database.forTenant(tenantId, (prisma) =>
      prisma.mailboxMessage.findUnique({ where: { tenantId_id: { tenantId, id } } }),
    );
    return row && toMessage(row);
  }

  async empty(tenantId: string): Promise<void> {
    await this.database.forTenant(tenantId, (prisma) => prisma.mailboxMessage.deleteMany({ where: { tenantId } }));
  }

  /** Deletes the oldest messages beyond MAILBOX_SIZE. Part of housekeeping, so that no send waits for it. */
  async trim(): Promise<void> {
    for (const tenantId of [...this.written]) {
      // Before the first batch, so that a message written during it counts for the next call.
      this.written.delete(tenantId);
      try {
        while ((await this.trimOnce(tenantId)) === TRIMMED_AT_ONCE);
      } catch (error) {
        this.written.add(tenantId);
        throw error;
      }
    }
  }

  private async trimOnce(tenantId: string): Promise<number> {
    const [row] = await this.database.platform.query<{ count: number }>({
      text: TRIM,
      values: [tenantId],
    });
    return row!.count;
  }

  private async write(batch: Deposit[]): Promise<void[]> {
    for (const deposit of batch) this.written.add(deposit.tenantId);
    await this.database.platform.query({
      name: 'deposit',
      text: `insert into mailbox_messages (${depositColumns.names})
             select tenant_id, id, channel, recipient_address, delivery_id, notification_id, message::jsonb, outcome
             from ${depositColumns.table('d')}`,
      values: depositColumns.values(batch),
    });
    return batch.map(() => undefined);
  }
}

/** Index: mailbox_messages_pkey. */
const TRIM = `
with deleted as (
  delete from mailbox_messages where tenant_id = $1 and id = any (array(
    select id from mailbox_messages where tenant_id = $1 order by id desc
    offset ${MAILBOX_SIZE} limit ${TRIMMED_AT_ONCE}))
  returning 1
)
select count(*) as count from deleted`;

function toMessage(row: {
  id: string;
  channel: string;
  recipientAddress: string;
  deliveryId: string;
  notificationId: string;
  message: unknown;
  outcome: string;
  createdAt: Date;
}): MailboxMessage {
  return {
    id: row.id,
    channel: row.channel as ChannelId,
    to: row.recipientAddress,
    deliveryId: row.deliveryId,
    notificationId: row.notificationId,
    message: row.message as Record<string, unknown>,
    outcome: row.outcome,
    createdAt: row.createdAt,
  };
}
