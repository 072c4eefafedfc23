// The data that the pipeline needs of a delivery, and the statement that reads it.

import {
  type Cap,
  type CategoryChoices,
  type CategoryPolicy,
  type CategoryPreference,
  type ChannelId,
  type QuietHours,
  type SuppressionReason,
  type TenantSettings,
} from '#domain';
import { columnList } from '../../column-list.js';
import { COMPARABLE_ADDRESS } from '../comparable-address.js';
import type { TemplateHead } from '../templates/template.js';
import type { Notification } from './notification.js';
import { headsOf } from './selected-templates.js';

export interface RecipientProfile {
  id: string;
  email: string | null;
  phone: string | null;
  locale: string | null;
  timezone: string | null;
  attributes: Record<string, unknown>;
  devices: { token: string; platform: string }[];
  /** Null for a profile that an explained send would create. */
  createdAt: Date | null;
}

/** The present data of one delivery that the pipeline needs. */
export interface DeliveryContext {
  /** The time of the database when it began to read the rest. */
  loadedAt: Date;
  notification: Notification;
  /** Given with the send; has precedence over the profile. */
  address: string | null;
  /** It was created by the job of a send to a topic, which may be weeks after the notification. */
  isOfTopic: boolean;
  recipient: RecipientProfile | null;
  channelSwitches: Record<string, boolean>;
  /** Null if the tenant has not created it. */
  category: CategoryPolicy | null;
  categoryPreference: CategoryPreference | null;
  /** The recipient's own; null for the hours of the tenant. */
  quietHours: QuietHours | null;
  /** The recipient's own. */
  caps: Cap[];
  /** The tenant's rules that concern the category; null if it has none. */
  preferenceRules: { defaults: CategoryChoices; enforced: CategoryChoices } | null;
  /** The reason of the address's entry on the suppression list, or null without one. */
  suppression: SuppressionReason | null;
  /** `isSandboxed`: only the sandbox sends deliveries to people; webhooks are sent to their endpoints. */
  tenant: { status: 'active' | 'suspended'; settings: TenantSettings; isSandboxed: boolean };
  /**
   * The templates that the notification's template id or key selects on this channel, in all locales; never from a
   * cache.
   */
  templateHeads: TemplateHead[];
  /** The same of the template that the category's digest names; empty if the category collects nothing. */
  digestTemplateHeads: TemplateHead[];
  createdAt: Date;
}

export interface DeliveryKey {
  tenantId: string;
  deliveryId: string;
}

export const keyColumns = columnList<DeliveryKey>({
  tenant_id: ['uuid', (key) => key.tenantId],
  id: ['uuid', (key) => key.deliveryId],
});

export interface ContextRow {
  loaded_at: Date;
  tenant_id: string;
  delivery_id: string;
  address: string | null;
  of_topic: boolean | null;
  notification_id: string;
  recipient_id: string;
  type: string | null;
  category: string;
  channels: ChannelId[];
  template_id: string | null;
  content: Record<string, unknown> | null;
  payload: Record<string, unknown> | null;
  priority: number;
  ordering_key: string | null;
  metadata: Record<string, string> | null;
  scheduled_at: Date | null;
  expires_at: Date | null;
  endpoint_id: string | null;
  shared_content_id: string | null;
  has_profile: boolean;
  profile_created_at: Date | null;
  email: string | null;
  phone: string | null;
  locale: string | null;
  timezone: string | null;
  attributes: Record<string, unknown> | null;
  devices: { token: string; platform: string }[] | null;
  channel_switches: Record<string, boolean> | null;
  category_policy: CategoryPolicy | null;
  category_preference: CategoryPreference | null;
  quiet_hours: QuietHours | null;
  caps: Cap[] | null;
  preference_rules: { defaults: CategoryChoices; enforced: CategoryChoices } | null;
  suppression: SuppressionReason | null;
  tenant_status: 'active' | 'suspended';
  tenant_settings: TenantSettings;
  is_sandboxed: boolean;
  template_heads: TemplateHead[] | null;
  digest_template_heads: TemplateHead[] | null;
  created_at: Date;
}

export function toContext(row: ContextRow): DeliveryContext {
  return {
    loadedAt: row.loaded_at,
    notification: {
      tenantId: row.tenant_id,
      id: row.notification_id,
      recipientId: row.recipient_id,
      type: row.type,
      category: row.category,
      channels: row.channels,
      templateId: row.template_id,
      content: row.content,
      payload: row.payload,
      priority: row.priority,
      orderingKey: row.ordering_key,
      metadata: row.metadata,
      scheduledAt: row.scheduled_at,
      expiresAt: row.expires_at,
      endpointId: row.endpoint_id,
      sharedContentId: row.shared_content_id,
    },
    address: row.address,
    isOfTopic: row.of_topic ?? false,
    recipient: row.has_profile
      ? {
          id: row.recipient_id,
          email: row.email,
          phone: row.phone,
          locale: row.locale,
          timezone: row.timezone,
          attributes: row.attributes ?? {},
          devices: row.devices ?? [],
          createdAt: row.profile_created_at,
        }
      : null,
    channelSwitches: row.channel_switches ?? {},
    category: row.category_policy,
    categoryPreference: row.category_preference,
    quietHours: row.quiet_hours,
    caps: row.caps ?? [],
    preferenceRules: row.preference_rules,
    suppression: row.suppression,
    tenant: { status: row.tenant_status, settings: row.tenant_settings, isSandboxed: row.is_sandboxed },
    templateHeads: row.template_heads ?? [],
    digestTemplateHeads: row.digest_template_heads ?? [],
    createdAt: row.created_at,
  };
}

/** SQL. */
interface ContextSource {
  source: string;
  recipient: string;
  /** The key of hashed addresses (`hmacPads`). */
  pads: string;
}

const suppressionOf = (address: string): string => `select s.reason from suppressions s
         where s.tenant_id = d.tenant_id and s.channel = d.channel and (s.expires_at is null or s.expires_at > now())
           and s.address = ${address}`;

/**
 * Reads the contexts of deliveries. `source` selects rows of deliveries as `d` and of notifications as `n`, `recipient`
 * the recipient of `d`.
 *
 * Indexes: the primary keys of tenants, recipients, preferences, preference_rules and categories; suppressions by
 * address; templates by key or id. `offset 0` keeps each look-up a look-up: without it, the planner once joined tenants
 * first and read all deliveries of a tenant for each row. `n.test` is only set on notifications that test keys sent
 * before each tenant had a test tenant.
 */
export const contextsOf = ({ source, recipient, pads }: ContextSource): string => `
select now() as loaded_at, d.tenant_id, d.id as delivery_id, d.address, d.of_topic, d.recipient_id,
       n.id as notification_id, n.type, n.category, n.channels, n.template_id, n.content, n.payload, n.priority,
       n.ordering_key, n.metadata, n.scheduled_at, n.expires_at, n.endpoint_id, n.shared_content_id, n.created_at,
       r.id is not null as has_profile, r.created_at as profile_created_at,
       r.email, r.phone, r.locale, r.timezone, r.attributes,
       case when d.channel = 'push' then (
         select json_agg(json_build_object('token', v.token, 'platform', v.platform) order by v.created_at)
         from devices v where v.tenant_id = d.tenant_id and v.recipient_id = d.recipient_id
       ) end as devices,
       p.channels as channel_switches, p.categories -> n.category as category_preference, p.quiet_hours, p.caps,
       c.policy as category_policy, u.rules as preference_rules,
       coalesce(
         (${suppressionOf(COMPARABLE_ADDRESS)}),
         case when t.has_hashed_suppressions then (
           ${suppressionOf(`carillon_hashed_address(${pads}, d.tenant_id, ${COMPARABLE_ADDRESS})`)}
         ) end
       ) as suppression,
       t.status as tenant_status, t.settings as tenant_settings, t.test_of is not null or n.test as is_sandboxed,
       ${headsOf('n.template_id')} as template_heads, ${headsOf('c.digest_template')} as digest_template_heads
from ${source}
cross join lateral (select * from tenants x where x.id = d.tenant_id offset 0) t
left join lateral (${recipient}) r on true
left join lateral (
  select * from preferences x where x.tenant_id = d.tenant_id and x.recipient_id = d.recipient_id offset 0
) p on true
left join lateral (
  select json_build_object('defaultEnabled', x.default_enabled, 'mandatory', x.mandatory,
                           'unknownOutcome', x.unknown_outcome, 'onHold', x.on_hold, 'onCap', x.on_cap,
                           'bypassQuietHours', x.bypass_quiet_hours, 'bypassCaps', x.bypass_caps,
                           'digest', x.digest) as policy, x.digest ->> 'template_id' as digest_template
  from categories x where x.tenant_id = d.tenant_id and x.key = n.category offset 0
) c on true
left join lateral (
  select json_build_object(
    'defaults', json_build_object('channels', coalesce(x.defaults -> 'channels', '{}'),
                                  'category', x.defaults -> 'categories' -> n.category),
    'enforced', json_build_object('channels', coalesce(x.enforced -> 'channels', '{}'),
                                  'category', x.enforced -> 'categories' -> n.category)) as rules
  from preference_rules x where x.tenant_id = d.tenant_id offset 0
) u on true`;

/** Indexes: the primary keys of deliveries and notifications, in one partition each, chosen at run time. */
export const LOAD_DELIVERIES = contextsOf({
  source: `${keyColumns.table('i')}
cross join lateral (select * from deliveries x where x.tenant_id = i.tenant_id and x.id = i.id offset 0) d
cross join lateral (
  select * from notifications x where x.tenant_id = d.tenant_id and x.id = d.notification_id offset 0
) n`,
  recipient: 'select * from recipients x where x.tenant_id = d.tenant_id and x.id = d.recipient_id offset 0',
  pads: `$${keyColumns.length + 1}::bytea`,
});
