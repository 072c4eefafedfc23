import { type ChannelId, lowestId, type NotificationStatus } from '#domain';
import { afterIdCursor, type PageRequest } from '../../page.js';
import type { Statement } from '../../statement.js';
import { type FoundRow, SHOWN_PAGE, STATUS } from './notification-select.js';

export interface NotificationFilter {
  status?: NotificationStatus | undefined;
  recipientId?: string | undefined;
  channel?: ChannelId | undefined;
  topic?: string | undefined;
  category?: string | undefined;
  type?: string | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  metadata?: Record<string, string> | undefined;
  /** true: only notifications with a cancelled delivery; false: only those without. */
  deleted?: boolean | undefined;
}

export type NotificationPage = PageRequest & { offset?: number | undefined };

/** A row of the list. A row without a notification (`id` is null) only says how far the search came. */
export type ListRow = FoundRow & { isCut?: boolean; examinedTo?: string | null };

/**
 * A page with filters that no index serves examines a limited number of notifications; it may be short, and its cursor
 * continues where the search stopped. `pending` and `active` are computed from the deliveries, so fewer are examined.
 */
const MAX_EXAMINED = 10_000;
const MAX_COMPUTED = 1_000;
/** The clocks that make ids and the clock of the database may differ by this. */
const CLOCKS_DIFFER_MS = 60_000;

/**
 * One page, newest first, as one statement. Indexes: notifications_pkey backwards;
 * notifications_final_status_tenant_id_id_idx or notifications_open_idx for a status;
 * notifications_recipient_id_tenant_id_id_idx for a recipient; notifications_topic_tenant_id_id_idx for a topic. The
 * weekly partitions are read from the newest one on, until the page is full.
 */
export function listStatement(
  tenantId: string,
  { status, ...filter }: NotificationFilter,
  page: NotificationPage,
): Statement {
  const values: unknown[] = [tenantId];
  // Notifications to webhook endpoints are listed with their endpoint (NotificationsStore.ofEndpoint).
  const indexed = ['n.tenant_id = $1', 'n.endpoint_id is null'];
  const matching: string[] = [];
  const add = (conditions: string[], condition: (parameter: string) => string, value: unknown): void => {
    if (value === undefined || value === null) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  add(indexed, (p) => `n.id < ${p}::uuid`, afterIdCursor(page.cursor));
  add(indexed, (p) => `n.recipient_id = ${p}`, filter.recipientId);
  add(indexed, (p) => `n.topic = ${p}`, filter.topic);
  add(indexed, (p) => `n.id >= ${p}::uuid`, boundOf(filter.createdAfter, -CLOCKS_DIFFER_MS));
  add(indexed, (p) => `n.id < ${p}::uuid`, boundOf(filter.createdBefore, CLOCKS_DIFFER_MS));
  add(matching, (p) => `${p} = any (n.channels)`, filter.channel);
  add(matching, (p) => `n.category = ${p}`, filter.category);
  add(matching, (p) => `n.type = ${p}`, filter.type);
  add(matching, (p) => `n.created_at > ${p}`, filter.createdAfter);
  add(matching, (p) => `n.created_at < ${p}`, filter.createdBefore);
  add(matching, (p) => `n.metadata @> ${p}::jsonb`, filter.metadata && JSON.stringify(filter.metadata));
  add(matching, (p) => `(n.cancelled > 0) = ${p}`, filter.deleted);
  const isOpen = status === 'pending' || status === 'active';
  if (isOpen) {
    indexed.push('n.final_status is null');
    matching.push(`${STATUS} = '${status}'`);
  } else add(indexed, (p) => `n.final_status = ${p}`, status);
  // Each combination of filters is another statement; only the common ones stay prepared.
  const isCommon = Object.values(filter).every((value) => value === undefined);
  const name = ['notifications', isOpen ? status : status && 'final', page.cursor && 'after'].filter(Boolean).join('_');
  const limit = limits(values, page);
  const text =
    matching.length > 0
      ? examinedPage(indexed, matching, isOpen ? MAX_COMPUTED : MAX_EXAMINED, limit)
      : `
with page as materialized (
  select n.* from notifications n where ${indexed.join(' and ')} order by n.id desc ${limit}
), ${SHOWN_PAGE}
select * from shown_notifications order by id desc`;
  return { ...(isCommon && { name }), text, values };
}

function boundOf(time: Date | undefined, marginMs: number): string | null {
  return time === undefined ? null : lowestId(time.getTime() + marginMs);
}

function limits(values: unknown[], page: NotificationPage): string {
  values.push(page.limit + 1, page.offset ?? 0);
  return `limit $${values.length - 1} offset $${values.length}`;
}

/** Returns at least one row, which says whether the search stopped early, and the id where it stopped. */
function examinedPage(indexed: string[], matching: string[], most: number, limit: string): string {
  return `
with examined as materialized (
  select n.* from notifications n where ${indexed.join(' and ')} order by n.id desc limit ${most}
), page as materialized (
  select n.* from examined n where ${matching.join(' and ')} order by n.id desc ${limit}
), ${SHOWN_PAGE}
select e."isCut", e."examinedTo", x.*
from (select count(*) = ${most} as "isCut", min(id::text) as "examinedTo" from examined) e
left join shown_notifications x on true
order by x.id desc`;
}
