import type { ChannelId, NotificationStatus } from '#domain';
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
export type ListRow = FoundRow & { examined: number; examinedTo: string | null };

/**
 * `pending` and `active` are computed from the deliveries. A page examines at most this many notifications; it may be
 * short, and its cursor continues where the search stopped.
 */
export const MAX_EXAMINED = 1_000;

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
  const conditions = ['n.tenant_id = $1', 'n.endpoint_id is null'];
  const where = (condition: (parameter: string) => string, value: unknown): void => {
    if (value === undefined || value === null) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  where((p) => `n.id < ${p}::uuid`, afterIdCursor(page.cursor));
  where((p) => `n.recipient_id = ${p}`, filter.recipientId);
  where((p) => `${p} = any (n.channels)`, filter.channel);
  where((p) => `n.topic = ${p}`, filter.topic);
  where((p) => `n.category = ${p}`, filter.category);
  where((p) => `n.type = ${p}`, filter.type);
  where((p) => `n.created_at > ${p}`, filter.createdAfter);
  where((p) => `n.created_at < ${p}`, filter.createdBefore);
  where((p) => `n.metadata @> ${p}::jsonb`, filter.metadata && JSON.stringify(filter.metadata));
  where((p) => `(n.cancelled > 0) = ${p}`, filter.deleted);
  const isOpen = status === 'pending' || status === 'active';
  if (isOpen) conditions.push('n.final_status is null');
  else where((p) => `n.final_status = ${p}`, status);
  // Each combination of filters is another statement; only the common ones stay prepared.
  const isCommon = Object.values(filter).every((value) => value === undefined);
  const name = ['notifications', isOpen ? status : status && 'final', page.cursor && 'after'].filter(Boolean).join('_');
  const text = isOpen
    ? openPage(conditions, status, values, page)
    : `
with page as materialized (
  select n.* from notifications n where ${conditions.join(' and ')} order by n.id desc ${limits(values, page)}
), ${SHOWN_PAGE}
select * from shown_notifications order by id desc`;
  return { ...(isCommon && { name }), text, values };
}

function limits(values: unknown[], page: NotificationPage): string {
  values.push(page.limit + 1, page.offset ?? 0);
  return `limit $${values.length - 1} offset $${values.length}`;
}

/** Returns at least one row, which has the number of examined notifications and the id of the last one. */
function openPage(
  conditions: string[],
  status: 'pending' | 'active',
  values: unknown[],
  page: NotificationPage,
): string {
  return `
with examined as materialized (
  select n.* from notifications n where ${conditions.join(' and ')} order by n.id desc limit ${MAX_EXAMINED}
), page as materialized (
  select n.* from examined n where ${STATUS} = '${status}' order by n.id desc ${limits(values, page)}
), ${SHOWN_PAGE}
select e.examined, e."examinedTo", x.*
from (select count(*) as examined, min(id::text) as "examinedTo" from examined) e
left join shown_notifications x on true
order by x.id desc`;
}
