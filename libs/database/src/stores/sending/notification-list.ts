import type { ChannelId, NotificationStatus } from '#domain';
import { afterIdCursor, type PageRequest } from '../../page.js';
import type { Statement } from '../../statement.js';
import { type FoundRow, SHOWN_PAGE, STATUS } from './notification-select.js';

export interface NotificationFilter {
  status?: NotificationStatus | undefined;
  recipientId?: string | undefined;
  channel?: ChannelId | undefined;
  category?: string | undefined;
  type?: string | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  metadata?: Record<string, string> | undefined;
  /** true: only those with a cancelled delivery; false: only those without. */
  deleted?: boolean | undefined;
}

export type NotificationPage = PageRequest & { offset?: number | undefined };

/** A row of the list; what is null on the side of the notification says only how far the search came. */
export type ListRow = FoundRow & { looked: number; lookedTo: string | null };

/**
 * `pending` and `active` are computed from the deliveries. A page examines at most this many notifications; it may be short,
 * and its cursor continues where the search stopped.
 */
export const MAX_LOOKED_AT = 1_000;

/**
 * One page, newest first, as one statement. Indexes: notifications_pkey backwards; notifications_final_status_tenant_id_id_idx or notifications_open_idx for a status;
 * notifications_recipient_id_tenant_id_id_idx for a recipient. The partitions hold one week each and are read from the newest on, as far as the page goes.
 */
export function listStatement(
  tenantId: string,
  { status, ...filter }: NotificationFilter,
  page: NotificationPage,
): Statement {
  const values: unknown[] = [tenantId];
  // What goes to the tenant's own endpoints is listed with them.
  const conditions = ['n.tenant_id = $1', 'n.endpoint_id is null'];
  const where = (condition: (parameter: string) => string, value: unknown): void => {
    if (value === undefined || value === null) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  where((p) => `n.id < ${p}::uuid`, afterIdCursor(page.cursor));
  where((p) => `n.recipient_id = ${p}`, filter.recipientId);
  where((p) => `${p} = any (n.channels)`, filter.channel);
  where((p) => `n.category = ${p}`, filter.category);
  where((p) => `n.type = ${p}`, filter.type);
  where((p) => `n.created_at > ${p}`, filter.createdAfter);
  where((p) => `n.created_at < ${p}`, filter.createdBefore);
  where((p) => `n.metadata @> ${p}::jsonb`, filter.metadata && JSON.stringify(filter.metadata));
  where((p) => `(n.cancelled > 0) = ${p}`, filter.deleted);
  const isOpen = status === 'pending' || status === 'active';
  if (isOpen) conditions.push('n.final_status is null');
  else where((p) => `n.final_status = ${p}`, status);
  // Every combination of filters is a statement of its own; only those that are asked for all the time stay prepared.
  const isCommon = Object.values(filter).every((value) => value === undefined);
  const name = ['notifications', isOpen ? status : status && 'final', page.cursor && 'after'].filter(Boolean).join('_');
  const text = isOpen
    ? openPage(conditions, status, values, page)
    : `
with page as materialized (
  select n.* from notifications n where ${conditions.join(' and ')} order by n.id desc ${limits(values, page)}
), ${SHOWN_PAGE}
select * from answer order by id desc`;
  return { ...(isCommon && { name }), text, values };
}

function limits(values: unknown[], page: NotificationPage): string {
  values.push(page.limit + 1, page.offset ?? 0);
  return `limit $${values.length - 1} offset $${values.length}`;
}

/** Always at least one row, which tells how many were looked at, and down to which. */
function openPage(conditions: string[], status: string, values: unknown[], page: NotificationPage): string {
  return `
with looked as materialized (
  select n.* from notifications n where ${conditions.join(' and ')} order by n.id desc limit ${MAX_LOOKED_AT}
), page as materialized (
  select n.* from looked n where ${STATUS} = '${status}' order by n.id desc ${limits(values, page)}
), ${SHOWN_PAGE}
select e.looked, e."lookedTo", x.*
from (select count(*) as looked, min(id::text) as "lookedTo" from looked) e
left join answer x on true
order by x.id desc`;
}
