// The sources of a search: each reads a limited number of candidates from one index, newest first.

import type { DeliveryState } from '#domain';
import { lowestId } from '#domain';
import { nearby } from '../notification-select.js';
import { type DeliveryFilter, possibleStates } from './delivery-filter.js';
import type { Parameters } from './parameters.js';

/** A page examines at most this many positions of each source: some ten milliseconds. */
const MAX_EXAMINED = 5_000;
/** The same where each position is a notification whose deliveries are to be found. */
const MAX_NOTIFICATIONS = 1_000;
/** Recipients with the address of a search. */
const MAX_PEOPLE = 20;

export interface Source {
  /** The positions, newest first: a query with the column `key`, an id, of at most `limit` rows. */
  keys: string;
  limit: number;
  /** The deliveries of the positions: a query with the columns `key` and `id` of the common table expression. */
  deliveries: (keys: string) => string;
}

/** The parameters that all sources share. */
export interface SourceScope {
  parameters: Parameters;
  /** The position from which the page goes on; null for the first page. */
  after: string | null;
}

/** Parts of delivery_log_end_idx and of delivery_log_reason_idx, so the list is not a parameter. */
const ENDS = "code in ('bounced', 'cancelled', 'downgraded', 'expired', 'failed', 'settled', 'suppressed', 'unknown')";

/**
 * The entries of the timeline that lead to a state which few deliveries have. A delivery that a person settles becomes
 * `failed` too.
 */
const ends: Partial<Record<DeliveryState, readonly string[]>> = {
  failed: ['failed', 'settled'],
  suppressed: ['suppressed', 'downgraded'],
  expired: ['expired'],
  cancelled: ['cancelled'],
  unknown: ['unknown'],
  bounced: ['bounced'],
};

/**
 * The sources that together have every delivery which matches the filter, the one with the fewest rows first in this
 * order: a notification, a recipient, an address, a state or a reason. Without any of these, all deliveries of the
 * tenant. Empty if nothing can match.
 */
export function sourcesOf(filter: DeliveryFilter, scope: SourceScope): Source[] {
  const read = new SourceReader(filter, scope);
  const states = possibleStates(filter);
  if (states?.length === 0) return [];
  if (filter.notificationId !== undefined) return [read.notification(filter.notificationId)];
  if (filter.recipientId !== undefined) {
    const one = `(select ${scope.parameters.add(filter.recipientId)}::text as id) p`;
    return [read.notificationsOf(one), read.topicDeliveriesOf(one)];
  }
  if (filter.address !== undefined) return read.address(filter.address);
  if (states === null || states.some((state) => !ends[state] && !isWaiting(state))) return [read.all()];
  const ended = states.filter((state) => !isWaiting(state));
  return [
    ...(states.some(isWaiting) ? [read.waiting()] : []),
    ...(filter.reason !== undefined && ended.length > 0 ? [read.reason(filter.reason)] : []),
    ...(filter.reason === undefined ? [...new Set(ended.flatMap((state) => ends[state]!))] : []).map((code) =>
      read.end(code),
    ),
  ];
}

const isWaiting = (state: DeliveryState): boolean => state === 'waiting' || state === 'sending';

/** Writes the queries. `$1` is the tenant. */
class SourceReader {
  private readonly bounds: (column: string) => string;

  constructor(
    { createdFrom, createdTo }: DeliveryFilter,
    private readonly scope: SourceScope,
  ) {
    const { parameters, after } = scope;
    const from = createdFrom && parameters.add(lowestId(createdFrom.getTime()));
    const to = createdTo && parameters.add(lowestId(createdTo.getTime()));
    const last = after !== null && parameters.add(after);
    this.bounds = (column) =>
      [
        from && ` and ${column} >= ${from}::uuid`,
        to && ` and ${column} < ${to}::uuid`,
        last && ` and ${column} <= ${last}::uuid`,
      ]
        .filter(Boolean)
        .join('');
  }

  /** Index: deliveries_pkey, backwards. */
  all(): Source {
    return this.byId('deliveries', 'id', 'true');
  }

  /** Index: due_deliveries_pkey, backwards. */
  waiting(): Source {
    return this.byId('due_deliveries', 'delivery_id', 'true');
  }

  /** Index: deliveries_notification_id_tenant_id_id_idx. */
  notification(id: string): Source {
    return this.byId('deliveries', 'id', `notification_id = ${this.scope.parameters.add(id)}::uuid`);
  }

  /** Index: delivery_log_end_idx. A delivery that failed twice is there twice. */
  end(code: string): Source {
    return this.byId('delivery_log', 'delivery_id', `code = '${code}'`);
  }

  /** Index: delivery_log_reason_idx. The entry of a delivery that a person settled has its state as reason. */
  reason(reason: string): Source {
    const reasons = this.scope.parameters.add(reason === 'rejected' ? [reason, 'failed'] : [reason]);
    return {
      keys: `
  select x.key from unnest(${reasons}::text[]) r(reason) cross join lateral (
    select delivery_id as key from delivery_log l
    where l.reason = r.reason and ${ENDS} and l.tenant_id = $1${this.bounds('l.delivery_id')}
    order by delivery_id desc limit ${MAX_EXAMINED}
  ) x order by x.key desc limit ${MAX_EXAMINED}`,
      limit: MAX_EXAMINED,
      deliveries: byKey,
    };
  }

  /**
   * The notifications of recipients, with their deliveries, which have the same time. `condition`: of a delivery `d`.
   * Indexes: notifications_recipient_id_tenant_id_id_idx, deliveries_notification_id_tenant_id_id_idx.
   */
  notificationsOf(people: string, condition = 'true'): Source {
    return {
      keys: `
  select x.key from ${people} cross join lateral (
    select n.id as key from notifications n
    where n.recipient_id = p.id and n.tenant_id = $1${this.bounds('n.id')}
    order by n.id desc limit ${MAX_NOTIFICATIONS}
  ) x order by x.key desc limit ${MAX_NOTIFICATIONS}`,
      limit: MAX_NOTIFICATIONS,
      deliveries: (keys) => `
  select k.key, d.id from ${keys} k
  join deliveries d on d.tenant_id = $1 and d.notification_id = k.key and ${nearby('k.key')} and ${condition}`,
    };
  }

  /** Index: deliveries_of_topic_idx. */
  topicDeliveriesOf(people: string): Source {
    return {
      keys: `
  select x.key from ${people} cross join lateral (
    select d.id as key from deliveries d
    where d.recipient_id = p.id and d.tenant_id = $1 and d.of_topic${this.bounds('d.id')}
    order by d.id desc limit ${MAX_EXAMINED}
  ) x order by x.key desc limit ${MAX_EXAMINED}`,
      limit: MAX_EXAMINED,
      deliveries: byKey,
    };
  }

  /** Indexes: deliveries_address_idx, recipients_email_idx, recipients_phone_idx. */
  address(address: string): Source[] {
    const forms = this.scope.parameters.add(formsOf(address));
    const people = `(
    select id from recipients where email = any (${forms}::text[]) and tenant_id = $1
    union
    select id from recipients where phone = any (${forms}::text[]) and tenant_id = $1
    order by id limit ${MAX_PEOPLE}
  ) p`;
    const named: Source = {
      keys: `
  select x.key from unnest(${forms}::text[]) f(form) cross join lateral (
    select d.id as key from deliveries d
    where d.address = f.form and length(d.address) <= 320 and d.tenant_id = $1${this.bounds('d.id')}
    order by d.id desc limit ${MAX_EXAMINED}
  ) x order by x.key desc limit ${MAX_EXAMINED}`,
      limit: MAX_EXAMINED,
      deliveries: byKey,
    };
    // Those with an address have another position in the first source.
    return [named, this.notificationsOf(people, 'd.address is null'), this.topicDeliveriesOf(people)];
  }

  private byId(table: string, column: string, condition: string): Source {
    return {
      keys: `
  select ${column} as key from ${table}
  where tenant_id = $1 and ${condition}${this.bounds(column)} order by ${column} desc limit ${MAX_EXAMINED}`,
      limit: MAX_EXAMINED,
      deliveries: byKey,
    };
  }
}

const byKey = (keys: string): string => `select key, key as id from ${keys}`;

/** The address as it is given, and in lower case: e-mail addresses are stored as they were given. */
export function formsOf(address: string): string[] {
  return [...new Set([address, address.toLowerCase()])];
}
