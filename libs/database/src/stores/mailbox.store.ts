import { type ChannelId, newId } from '#domain';
import { Batcher } from '../batcher.js';
import { columns, json } from '../columns.js';
import type { Database } from '../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../page.js';

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

/** How many a tenant's mailbox keeps. */
export const MAILBOX_SIZE = 1_000;
const TRIMMED_AT_ONCE = 1_000;

/** What the sandbox took. */
export class MailboxStore {
  private readonly deposits: Batcher<Deposit, void>;
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
    const before = afterIdCursor(page.cursor);
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.mailboxMessage.findMany({
        where: {
          tenantId,
          ...(filter.channel !== undefined && { channel: filter.channel }),
          ...(filter.to !== undefined && { recipientAddress: filter.to }),
          ...(before && { id: { lt: before } }),
        },
        orderBy: { id: 'desc' },
        take: Math.min(page.limit, MAILBOX_SIZE) + 1,
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

  /** Cuts the mailboxes written to since the last call to their size: housekeeping, so that no send waits for it. */
  async trim(): Promise<void> {
    for (const tenantId of [...this.written]) {
      // Before the first batch: what comes meanwhile counts for the next call. Put back when a batch fails.
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
      text: `with gone as (
               delete from mailbox_messages where tenant_id = $1 and id = any (array(
                 select id from mailbox_messages where tenant_id = $1 order by id desc offset ${MAILBOX_SIZE} limit ${TRIMMED_AT_ONCE})) returning 1
             ) select count(*) as count from gone`, // index: mailbox_messages_pkey
      values: [tenantId],
    });
    return row!.count;
  }

  private async write(batch: Deposit[]): Promise<void[]> {
    for (const deposit of batch) this.written.add(deposit.tenantId);
    await this.database.platform.query({
      name: 'deposit',
      text: `insert into mailbox_messages (tenant_id, id, channel, recipient_address, delivery_id, notification_id, message, outcome)
             select tenant_id, id, channel, recipient_address, delivery_id, notification_id, message::jsonb, outcome
             from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[])
               as i(tenant_id, id, channel, recipient_address, delivery_id, notification_id, message, outcome)`,
      values: columns(batch, [
        (row) => row.tenantId,
        () => newId(),
        (row) => row.channel,
        (row) => row.to,
        (row) => row.deliveryId,
        (row) => row.notificationId,
        (row) => json(row.message),
        (row) => row.outcome,
      ]),
    });
    return batch.map(() => undefined);
  }
}

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
