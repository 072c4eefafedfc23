import {
  type CategoryPreference,
  type ChannelId,
  channelOf,
  type Outcome,
  type SuppressionReason,
  type TenantSettings,
} from '#domain';
import { Batcher } from '../../batcher.js';
import { columns } from '../../columns.js';
import type { Database } from '../../database.js';
import type { ClaimedDelivery } from '../queue/due-deliveries.store.js';
import type { TemplateHead } from '../templates.store.js';
import type { Notification } from './notification.js';
import { RECORD, type Recorded, type RecordRow, recordValues, toRecord } from './record.js';

export interface RecipientProfile {
  id: string;
  email: string | null;
  phone: string | null;
  locale: string | null;
  timezone: string | null;
  attributes: Record<string, unknown>;
  devices: { token: string; platform: string }[];
}

/** What the pipeline needs to know of one delivery, as it stands now. */
export interface DeliveryContext {
  notification: Notification;
  /** Given with the send; wins over the profile. */
  address: string | null;
  recipient: RecipientProfile | null;
  channelSwitches: Record<string, boolean>;
  /** Null where the tenant has not described it. */
  category: { defaultEnabled: boolean; mandatory: boolean; unknownOutcome: 'resend' | 'hold' | null } | null;
  categoryPreference: CategoryPreference | null;
  /** Why the address is on the suppression list, if it is. */
  suppression: SuppressionReason | null;
  tenant: { status: 'active' | 'suspended'; settings: TenantSettings };
  /** What the notification's template id or key finds on this channel, in every locale: the database's word, never a cache's. */
  templateHeads: TemplateHead[];
}

interface DeliveryKey {
  tenantId: string;
  deliveryId: string;
}

interface RecordBatchers {
  load: Batcher<DeliveryKey, DeliveryContext | null>;
  record: Batcher<RecordRow, Recorded>;
  /** A batch with ordering keys may wait for a lock; what has no ordering key never waits behind it. */
  recordOrdered: Batcher<RecordRow, Recorded>;
}

interface ContextRow {
  tenant_id: string;
  delivery_id: string;
  address: string | null;
  notification_id: string;
  recipient_id: string;
  type: string | null;
  category: string;
  channels: ChannelId[];
  template_id: string | null;
  content: Record<string, unknown> | null;
  payload: Record<string, unknown> | null;
  priority: number;
  test: boolean;
  ordering_key: string | null;
  metadata: Record<string, string> | null;
  scheduled_at: Date | null;
  expires_at: Date | null;
  endpoint_id: string | null;
  shared_content_id: string | null;
  has_profile: boolean;
  email: string | null;
  phone: string | null;
  locale: string | null;
  timezone: string | null;
  attributes: Record<string, unknown> | null;
  devices: { token: string; platform: string }[] | null;
  channel_switches: Record<string, boolean> | null;
  category_policy: { default_enabled: boolean; mandatory: boolean; unknown_outcome: 'resend' | 'hold' | null } | null;
  category_preference: CategoryPreference | null;
  suppression: SuppressionReason | null;
  tenant_status: 'active' | 'suspended';
  tenant_settings: TenantSettings;
  template_heads: TemplateHead[] | null;
}

/** Loading and recording in the worker. Runs as the platform: one batch holds deliveries of many tenants. */
export class DeliveriesStore {
  /** One statement at a time, so that what comes first stays first: an inbox is read in the order it was written. */
  private readonly inTurn: RecordBatchers;
  /** Two at a time, a sixth faster: whoever goes to a provider is overtaken there anyway. */
  private readonly abreast: RecordBatchers;

  constructor(
    private readonly database: Database,
    /** Told after each commit whose inbox has grown. */
    private readonly onInboxRows: (rows: { tenantId: string; recipientId: string }[]) => void,
  ) {
    this.inTurn = this.recordBatchers(1);
    this.abreast = this.recordBatchers(2);
  }

  /** Everything about one delivery; null when it is gone (its partition was dropped, or its tenant deleted). */
  async load(delivery: ClaimedDelivery): Promise<DeliveryContext | null> {
    return await this.recordBatchersOf(delivery).load.run(delivery);
  }

  /**
   * Writes the end of one run: attempt, state or next due time, counters, dead letter, inbox row, timeline, in one
   * commit, fenced by the claim. Returns false when the claim was not ours any more and nothing was written.
   */
  async record(delivery: ClaimedDelivery, outcome: Outcome): Promise<boolean> {
    if (outcome.kind === 'claim_lost') return false;
    const { record, recordOrdered } = this.recordBatchersOf(delivery);
    return (await (delivery.ordered ? recordOrdered : record).run(toRecord(delivery, outcome))).recorded;
  }

  private recordBatchers(slots: number): RecordBatchers {
    const limits = { slots, maxBatch: 500, maxQueue: 100_000 };
    const flush = (batch: RecordRow[]): Promise<Recorded[]> => this.writeRecords(batch);
    return {
      load: new Batcher({ flush: (keys) => this.readContexts(keys), repeatable: true, ...limits }),
      record: new Batcher({ flush, ...limits }),
      recordOrdered: new Batcher({ flush, ...limits, slots: 1 }),
    };
  }

  private recordBatchersOf(delivery: ClaimedDelivery): RecordBatchers {
    return channelOf(delivery.channel).sends === 'inbox' ? this.inTurn : this.abreast;
  }

  private async readContexts(keys: readonly DeliveryKey[]): Promise<(DeliveryContext | null)[]> {
    const rows = await this.database.platformReads.query<ContextRow>({
      name: 'load_deliveries',
      text: LOAD,
      values: columns(keys, [(key) => key.tenantId, (key) => key.deliveryId]),
    });
    const found = new Map(rows.map((row) => [row.delivery_id, toContext(row)]));
    return keys.map((key) => found.get(key.deliveryId) ?? null);
  }

  private async writeRecords(batch: RecordRow[]): Promise<Recorded[]> {
    const rows = await this.database.platform.query<{ delivery_id: string }>({
      name: 'record',
      text: RECORD,
      values: recordValues(batch),
    });
    const recorded = new Set(rows.map((row) => row.delivery_id));
    const inbox = batch.flatMap((row) =>
      row.inbox && recorded.has(row.deliveryId) ? [{ tenantId: row.tenantId, recipientId: row.inbox.recipientId }] : [],
    );
    if (inbox.length > 0) this.onInboxRows(inbox);
    return batch.map((row) => ({ recorded: recorded.has(row.deliveryId) }));
  }
}

function toContext(row: ContextRow): DeliveryContext {
  return {
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
      test: row.test,
      orderingKey: row.ordering_key,
      metadata: row.metadata,
      scheduledAt: row.scheduled_at,
      expiresAt: row.expires_at,
      endpointId: row.endpoint_id,
      sharedContentId: row.shared_content_id,
    },
    address: row.address,
    recipient: row.has_profile
      ? {
          id: row.recipient_id,
          email: row.email,
          phone: row.phone,
          locale: row.locale,
          timezone: row.timezone,
          attributes: row.attributes ?? {},
          devices: row.devices ?? [],
        }
      : null,
    channelSwitches: row.channel_switches ?? {},
    category: row.category_policy && {
      defaultEnabled: row.category_policy.default_enabled,
      mandatory: row.category_policy.mandatory,
      unknownOutcome: row.category_policy.unknown_outcome,
    },
    categoryPreference: row.category_preference,
    suppression: row.suppression,
    tenant: { status: row.tenant_status, settings: row.tenant_settings },
    templateHeads: row.template_heads ?? [],
  };
}

/**
 * Primary keys throughout: deliveries, notifications (one partition each, chosen at run time), tenants, recipients,
 * preferences, categories, suppressions by address, templates by key (in all locales) or id. `offset 0` keeps each look-up a look-up: flattened, the planner once joined tenants first and walked all
 * deliveries of a tenant for each row.
 */
const LOAD = `
select d.tenant_id, d.id as delivery_id, d.address, n.id as notification_id, d.recipient_id, n.type, n.category, n.channels, n.template_id, n.content,
       n.payload, n.priority, n.test, n.ordering_key, n.metadata, n.scheduled_at, n.expires_at, n.endpoint_id, n.shared_content_id,
       r.id is not null as has_profile, r.email, r.phone, r.locale, r.timezone, r.attributes,
       case when d.channel = 'push' then (
         select json_agg(json_build_object('token', v.token, 'platform', v.platform) order by v.created_at)
         from devices v where v.tenant_id = d.tenant_id and v.recipient_id = d.recipient_id
       ) end as devices,
       p.channels as channel_switches, p.categories -> n.category as category_preference, c.policy as category_policy,
       (
         select s.reason from suppressions s
         where s.tenant_id = d.tenant_id and s.channel = d.channel and (s.expires_at is null or s.expires_at > now())
           and s.address = case d.channel when 'email' then lower(coalesce(d.address, r.email)) when 'sms' then coalesce(d.address, r.phone) else d.address end
       ) as suppression,
       t.status as tenant_status, t.settings as tenant_settings,
       case when n.template_id is not null then (
         select json_agg(json_build_object('id', m.id, 'locale', m.locale, 'version', m.version))
         from (
           select id, locale, version from templates where tenant_id = d.tenant_id and key = n.template_id and channel = d.channel
           union all
           select id, locale, version from templates
           where tenant_id = d.tenant_id and id = case when n.template_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then n.template_id::uuid end and channel = d.channel
         ) m
       ) end as template_heads
from unnest($1::uuid[], $2::uuid[]) as i(tenant_id, id)
cross join lateral (select * from deliveries x where x.tenant_id = i.tenant_id and x.id = i.id offset 0) d
cross join lateral (select * from notifications x where x.tenant_id = d.tenant_id and x.id = d.notification_id offset 0) n
cross join lateral (select * from tenants x where x.id = d.tenant_id offset 0) t
left join lateral (select * from recipients x where x.tenant_id = d.tenant_id and x.id = d.recipient_id offset 0) r on true
left join lateral (select * from preferences x where x.tenant_id = d.tenant_id and x.recipient_id = d.recipient_id offset 0) p on true
left join lateral (
  select json_build_object('default_enabled', x.default_enabled, 'mandatory', x.mandatory, 'unknown_outcome', x.unknown_outcome) as policy
  from categories x where x.tenant_id = d.tenant_id and x.key = n.category offset 0
) c on true`;
