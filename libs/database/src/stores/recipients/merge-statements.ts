// The statements that merge recipients. `$1` is the tenant.

import { columnList } from '../../column-list.js';
import { json } from '../../columns.js';
import type { Device, Preferences } from './recipient.js';
import type { ProfileFields } from './recipient-merge.js';

export interface Row<Value> {
  id: string;
  value: Value;
}
/** Attributes are null if they were not read, or stay as they are. */
export interface Profile extends ProfileFields {
  attributes: Readonly<Record<string, unknown>> | null;
}
export interface DeviceRow extends Pick<Device, 'token' | 'platform'> {
  id: string;
}

export const profileColumns = columnList<Row<Profile>>({
  id: ['text', ({ id }) => id],
  email: ['text', ({ value }) => value.email],
  phone: ['text', ({ value }) => value.phone],
  locale: ['text', ({ value }) => value.locale],
  timezone: ['text', ({ value }) => value.timezone],
  attributes: ['jsonb', ({ value }) => json(value.attributes)],
});
export const preferenceColumns = columnList<Row<Preferences>>({
  recipient_id: ['text', ({ id }) => id],
  channels: ['jsonb', ({ value }) => JSON.stringify(value.channels)],
  categories: ['jsonb', ({ value }) => JSON.stringify(value.categories)],
  quiet_hours: ['jsonb', ({ value }) => json(value.quietHours)],
  caps: ['jsonb', ({ value }) => JSON.stringify(value.caps)],
});
export const deviceColumns = columnList<DeviceRow>({
  recipient_id: ['text', ({ id }) => id],
  token: ['text', ({ token }) => token],
  platform: ['text', ({ platform }) => platform],
});

/**
 * Locks the rows that are there and returns the ids of the others. `do update … where false` changes nothing, and
 * still locks the row (https://www.postgresql.org/docs/current/sql-insert.html).
 */
export const CREATE_OR_LOCK_PROFILES = `
insert into recipients as r (tenant_id, id, email, phone, locale, timezone, attributes)
select $1, p.id, p.email, p.phone, p.locale, p.timezone, coalesce(p.attributes, '{}')
from ${profileColumns.table('p', 2)} order by p.id
on conflict (tenant_id, id) do update set updated_at = r.updated_at where false
returning id`;

export const CREATE_OR_LOCK_PREFERENCES = `
insert into preferences as r (tenant_id, ${preferenceColumns.names})
select $1, * from ${preferenceColumns.table('p', 2)} order by p.recipient_id
on conflict (tenant_id, recipient_id) do update set updated_at = r.updated_at where false
returning recipient_id as id`;

/** $2: ids, $3: the ids of those whose attributes are read. Index: recipients_pkey. */
export const PROFILES = `
select id, email, phone, locale, timezone, case when id = any ($3::text[]) then attributes end as attributes
from recipients where tenant_id = $1 and id = any ($2::text[])`;

/** Index: preferences_pkey. */
export const PREFERENCES = `
select recipient_id as id, channels, categories, quiet_hours as "quietHours", caps from preferences
where tenant_id = $1 and recipient_id = any ($2::text[])`;

/** Index: devices_pkey. */
export const DEVICES = `
select recipient_id as id, token, platform from devices where tenant_id = $1 and recipient_id = any ($2::text[])`;

/** Index: recipients_pkey. */
export const CHANGE_PROFILES = `
update recipients r set email = p.email, phone = p.phone, locale = p.locale, timezone = p.timezone,
  attributes = coalesce(p.attributes, r.attributes), updated_at = now()
from ${profileColumns.table('p', 2)} where r.tenant_id = $1 and r.id = p.id`;

/** Index: preferences_pkey. */
export const CHANGE_PREFERENCES = `
update preferences r set channels = p.channels, categories = p.categories, quiet_hours = p.quiet_hours, caps = p.caps,
  updated_at = now()
from ${preferenceColumns.table('p', 2)} where r.tenant_id = $1 and r.recipient_id = p.recipient_id`;

export const ADD_DEVICES = `
insert into devices (tenant_id, ${deviceColumns.names}) select $1, * from ${deviceColumns.table('p', 2)}
on conflict (tenant_id, recipient_id, token) do nothing`;

/** Index: recipients_pkey. */
export const DELETE_PROFILES = 'delete from recipients where tenant_id = $1 and id = any ($2::text[])';

/** Index: preferences_pkey. */
export const DELETE_PREFERENCES = 'delete from preferences where tenant_id = $1 and recipient_id = any ($2::text[])';
