import { Batcher } from '../batcher.js';
import { columnList } from '../column-list.js';
import type { Database } from '../database.js';
import { afterNumberCursor, type Page, toPage } from '../page.js';
import type { Statement } from '../statement.js';
import type { InboxChange, InboxFilter, InboxHead, InboxItem } from './inbox-item.js';
import { emit } from './sending/emit-events.js';

interface FeedKey {
  tenantId: string;
  recipientId: string;
  since: number;
}

const FEED_PAGE = 100;

const headColumns = columnList<Omit<FeedKey, 'since'>>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  recipient_id: ['text', ({ recipientId }) => recipientId],
});

const feedColumns = columnList<FeedKey>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  recipient_id: ['text', ({ recipientId }) => recipientId],
  since: ['bigint', ({ since }) => since],
});

/** The inboxes of recipients. Counters are exact, because each change and its counter are in one commit. */
export class InboxStore {
  // Statements for the inboxes of many tenants. A key that the database refuses fails alone.
  private readonly feeds: Batcher<FeedKey, InboxItem[]>;
  private readonly heads: Batcher<Omit<FeedKey, 'since'>, InboxHead>;

  constructor(private readonly database: Database) {
    const limits = { slots: 4, maxBatch: 500, maxQueue: 100_000, repeatable: true };
    this.feeds = new Batcher({ flush: (keys) => this.readFeeds(keys), ...limits });
    this.heads = new Batcher({ flush: (keys) => this.readHeads(keys), ...limits });
  }

  /** Newest first, or oldest first after `afterSeq`. Index: inbox_items_pkey; inbox_items_unread_idx for unread. */
  async list(tenantId: string, recipientId: string, filter: InboxFilter): Promise<Page<InboxItem>> {
    const values: unknown[] = [tenantId, recipientId];
    const conditions = [
      'tenant_id = $1',
      'recipient_id = $2',
      filter.archived ? 'archived_at is not null' : 'archived_at is null',
    ];
    if (filter.unread) conditions.push('read_at is null');
    if (filter.category !== undefined) conditions.push(`category = $${values.push(filter.category)}`);
    const forward = filter.afterSeq !== undefined;
    if (forward) conditions.push(`seq > $${values.push(filter.afterSeq)}`);
    const last = afterNumberCursor(filter.cursor);
    if (last !== null) conditions.push(`seq ${forward ? '>' : '<'} $${values.push(last)}`);
    values.push(filter.limit + 1);
    const order = `order by seq ${forward ? 'asc' : 'desc'} limit $${values.length}`;
    const text = `select ${ITEM} from inbox_items where ${conditions.join(' and ')} ${order}`;
    const shape = [
      filter.archived === true,
      filter.unread === true,
      filter.category !== undefined,
      forward,
      last !== null,
    ];
    const name = `inbox_items_${shape.map(Number).join('')}`;
    const rows = await this.database.queryForTenant<InboxItem>(tenantId, { name, text, values });
    return toPage(rows, filter.limit, (row) => String(row.seq));
  }

  /** The counters and the last sequence number. Index: inbox_counters_pkey. */
  async head(tenantId: string, recipientId: string): Promise<InboxHead> {
    return await this.heads.run({ tenantId, recipientId });
  }

  /** Up to 100 items after `since`, oldest first, archived ones too, for streams. Index: inbox_items_pkey. */
  async feed(tenantId: string, recipientId: string, since: number): Promise<InboxItem[]> {
    return await this.feeds.run({ tenantId, recipientId, since });
  }

  /**
   * Changes one item. Returns it and whether it changed (a repeat changes nothing), or null if it does not exist.
   * Index: inbox_items_tenant_id_id_key.
   */
  async change(
    tenantId: string,
    recipientId: string,
    id: string,
    change: InboxChange,
  ): Promise<{ item: InboxItem; changed: boolean } | null> {
    const [changed, [item]] = await this.database.pipelineForTenant<[InboxItem[], InboxItem[]]>(tenantId, [
      changeItems(tenantId, recipientId, change, id),
      {
        name: 'inbox_item',
        text: `select ${ITEM} from inbox_items where tenant_id = $1 and id = $3 and recipient_id = $2`,
        values: [tenantId, recipientId, id],
      },
    ]);
    return item ? { item, changed: changed.length > 0 } : null;
  }

  /** Marks all items as read or seen. Returns the items that changed. Index: inbox_items_pkey. */
  async changeAll(tenantId: string, recipientId: string, change: 'read' | 'seen'): Promise<InboxItem[]> {
    return await this.database.queryForTenant(tenantId, changeItems(tenantId, recipientId, change, null));
  }

  /** Marks a token from a URL as used. Returns false if it was used before. */
  async useToken(tenantId: string, jti: string, expiresAt: Date): Promise<boolean> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const { count } = await prisma.usedToken.createMany({
        data: [{ tenantId, jti, expiresAt }],
        skipDuplicates: true,
      });
      return count === 1;
    });
  }

  private async readHeads(keys: readonly Omit<FeedKey, 'since'>[]): Promise<InboxHead[]> {
    const rows = await this.database.platform.query<{
      ord: number;
      last_seq: number;
      total: number;
      unread: number;
      unseen: number;
    }>({
      name: 'inbox_heads',
      text: `select i.ord::int as ord, c.last_seq, c.total, c.unread, c.unseen
             from ${headColumns.numberedTable('i')}
             join inbox_counters c on c.tenant_id = i.tenant_id and c.recipient_id = i.recipient_id`,
      values: headColumns.values(keys),
    });
    const found = new Map(rows.map((row) => [row.ord - 1, row]));
    return keys.map((_, index) => {
      const row = found.get(index);
      return {
        lastSeq: row?.last_seq ?? 0,
        counts: { total: row?.total ?? 0, unread: row?.unread ?? 0, unseen: row?.unseen ?? 0 },
      };
    });
  }

  private async readFeeds(keys: readonly FeedKey[]): Promise<InboxItem[][]> {
    const rows = await this.database.platform.query<InboxItem & { ord: number }>({
      name: 'inbox_feeds',
      text: `select i.ord::int as ord, x.* from ${feedColumns.numberedTable('i')}
             cross join lateral (
               select ${ITEM} from inbox_items t
               where t.tenant_id = i.tenant_id and t.recipient_id = i.recipient_id and t.seq > i.since
               order by t.seq limit ${FEED_PAGE}
             ) x order by i.ord, x.seq`,
      values: feedColumns.values(keys),
    });
    const byKey = Map.groupBy(rows, (row) => row.ord - 1);
    return keys.map((_, index) => (byKey.get(index) ?? []).map(({ ord: _ord, ...item }) => item));
  }
}

const ITEM = `
  id, seq, title, body, action_url as "actionUrl", data, category, created_at as "createdAt", seen_at as "seenAt",
  read_at as "readAt", archived_at as "archivedAt"`;

/** The columns that each change sets, and the items that it applies to. An item that is read is seen too. */
const CHANGES: Record<InboxChange, { set: string; where: string }> = {
  read: { set: 'read_at = now(), seen_at = coalesce(i.seen_at, now())', where: 'i.read_at is null' },
  unread: { set: 'read_at = null', where: 'i.read_at is not null' },
  seen: { set: 'seen_at = now()', where: 'i.seen_at is null' },
  archive: { set: 'archived_at = now()', where: 'i.archived_at is null' },
  unarchive: { set: 'archived_at = null', where: 'i.archived_at is not null' },
};

const READ_EVENTS = `, emitted as (
  ${emit(`
    select tenant_id, 'inbox.item_read', recipient_id, id::text,
           jsonb_build_object('item_id', id, 'seq', seq, 'recipient_id', recipient_id, 'read_at', read_at)
    from changed`)}
)`;

/**
 * Adds to the counters the difference between the changed rows before and after. Archived items are not counted.
 * Lock order: the row of the counters, then the items, as when an item is inserted. Indexes: inbox_counters_pkey,
 * inbox_items_pkey, inbox_items_tenant_id_id_key.
 */
function changeItems(tenantId: string, recipientId: string, change: InboxChange, id: string | null): Statement {
  const { set, where } = CHANGES[change];
  return {
    name: `inbox_${change}_${id === null ? 'all' : 'one'}`,
    text: `
with locked_counter as materialized (
  select from inbox_counters where tenant_id = $1 and recipient_id = $2 for update
), before as materialized (
  select i.tenant_id, i.recipient_id, i.seq,
         (i.archived_at is null)::int as total, (i.archived_at is null and i.read_at is null)::int as unread,
         (i.archived_at is null and i.seen_at is null)::int as unseen
  from inbox_items i
  where exists (select from locked_counter) and i.tenant_id = $1 and i.recipient_id = $2 and ${where}
    and ${id === null ? '$3::uuid is null and i.archived_at is null' : 'i.id = $3::uuid'}
  for update
), changed as (
  update inbox_items i set ${set} from before b
  where i.tenant_id = b.tenant_id and i.recipient_id = b.recipient_id and i.seq = b.seq
  returning i.*
), updated_counters as (
  update inbox_counters c set total = c.total + d.total, unread = c.unread + d.unread, unseen = c.unseen + d.unseen
  from (
    select sum((x.archived_at is null)::int - b.total)::int as total,
           sum((x.archived_at is null and x.read_at is null)::int - b.unread)::int as unread,
           sum((x.archived_at is null and x.seen_at is null)::int - b.unseen)::int as unseen
    from changed x join before b on b.seq = x.seq
  ) d
  where c.tenant_id = $1 and c.recipient_id = $2 and d.total is not null
)${change === 'read' ? READ_EVENTS : ''}
select ${ITEM} from changed order by seq`,
    values: [tenantId, recipientId, id],
  };
}
