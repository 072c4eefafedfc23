import { isId } from '#domain';
import { afterIdsCursor, type PageRequest } from '../../../page.js';
import type { Statement } from '../../../statement.js';
import type { DeliveryRow } from '../../sending/notification.js';
import { DELIVERIES } from '../notification-select.js';
import { type DeliveryFilter, possibleStates } from './delivery-filter.js';
import { Parameters } from './parameters.js';
import { formsOf, sourcesOf } from './search-sources.js';

export interface FoundDelivery extends DeliveryRow {
  category: string;
  type: string | null;
  /** The id or the key of the template, as the send named it. */
  templateId: string | null;
  /** Of inline content. */
  subject: string | null;
}

/** `key` is the position of the delivery. A row without a delivery (`id` is null) only has the frontier. */
export type SearchRow = FoundDelivery & { key: string; frontier: string | null };

/**
 * One page, newest first, as one statement; null if nothing can match. Each source is read up to a limit. The frontier
 * is the position down to which all of them were read, null if they were read to their ends. Deliveries beyond it are
 * left to the next page, so that none is lost or repeated. The candidates are in order before they are joined, so that
 * rows are looked up only until the page is full. Indexes: those of the sources (search-sources.ts), and the primary
 * keys of deliveries, notifications, due_deliveries and recipients.
 */
export function searchStatement(tenantId: string, filter: DeliveryFilter, page: PageRequest): Statement | null {
  const parameters = new Parameters();
  parameters.add(tenantId);
  const after = afterIdsCursor(page.cursor);
  const sources = sourcesOf(filter, { parameters, after: after?.[0] ?? null });
  if (sources.length === 0) return null;
  const matching = [...deliveryConditions(filter, parameters), ...notificationConditions(filter, parameters)];
  const place = after ? ` and (key, id) < (${parameters.add(after[0])}::uuid, ${parameters.add(after[1])}::uuid)` : '';
  const limit = parameters.add(page.limit + 1);
  const named = sources.map((source, index) => ({ name: `source_${index}`, ...source }));
  const text = `
with ${named.map(({ name, keys }) => `${name} as materialized (${keys}\n)`).join(', ')}, candidates as materialized (
  ${named.map(({ name, deliveries }) => deliveries(name)).join('\n  union\n  ')}
), frontier as materialized (
  select max(last::text)::uuid as key from (
    ${named.map(({ name, limit: most }) => lastOf(name, most)).join('\n    union all\n    ')}
  ) lasts
), page as materialized (
  select c.key, x.*, n.category, n.type, n.template_id as "templateId", n.content->>'subject' as subject
  from (
    select * from candidates
    where (select f.key is null or candidates.key >= f.key from frontier f)${place}
    order by key desc, id desc
  ) c
  cross join lateral (select * from deliveries d where d.tenant_id = $1 and d.id = c.id limit 1) d
  cross join lateral (
    select * from notifications n where n.tenant_id = $1 and n.id = d.notification_id limit 1
  ) n
  cross join lateral (${DELIVERIES} where d.tenant_id = $1 and d.id = c.id limit 1) x
  where ${matching.join(' and ')}
  order by c.key desc, c.id desc limit ${limit}
)
select f.key as frontier, p.* from frontier f left join page p on true order by p.key desc, p.id desc`;
  return { text, values: parameters.values };
}

/** The last position of a source that was not read to its end; no row if it was. */
const lastOf = (source: string, limit: number): string =>
  `(select key as last from ${source} order by key desc offset ${limit - 1} limit 1)`;

/** Of the delivery `d`, and of its state in `x`. */
function deliveryConditions(filter: DeliveryFilter, parameters: Parameters): string[] {
  // Deliveries to webhook endpoints are listed with their endpoint (NotificationsStore.ofEndpoint).
  const conditions = ['d.endpoint_id is null'];
  const add = (condition: (parameter: string) => string, value: unknown): void => {
    if (value !== undefined && value !== null) conditions.push(condition(parameters.add(value)));
  };
  add((p) => `d.channel = ${p}`, filter.channel);
  add((p) => `d.recipient_id = ${p}`, filter.recipientId);
  add((p) => `d.notification_id = ${p}::uuid`, filter.notificationId);
  add((p) => `d.provider_account_id = ${p}::uuid`, filter.providerAccountId);
  add(
    (p) => `(d.address = any (${p}::text[]) or d.address is null and exists (
      select from recipients r where r.tenant_id = $1 and r.id = d.recipient_id
        and case d.channel when 'email' then r.email when 'sms' then r.phone end = any (${p}::text[])))`,
    filter.address && formsOf(filter.address),
  );
  add((p) => `x.state = any (${p}::text[])`, possibleStates(filter));
  add((p) => `x.reason = ${p}`, filter.reason);
  return conditions;
}

/** Of the notification `n`. A send names its template by id or by key. */
function notificationConditions({ category, template }: DeliveryFilter, parameters: Parameters): string[] {
  const conditions: string[] = [];
  if (category !== undefined) conditions.push(`n.category = ${parameters.add(category)}`);
  if (template === undefined) return conditions;
  const given = parameters.add(template);
  const id = parameters.add(isId(template) ? template : null);
  conditions.push(`n.template_id = any (array(
      select ${given}::text
      union select id::text from templates where tenant_id = $1 and key = ${given}
      union select key from templates where tenant_id = $1 and id = ${id}::uuid))`);
  return conditions;
}
