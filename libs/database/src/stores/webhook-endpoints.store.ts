import { type EventType, newId } from '#domain';
import type { Change } from '../change.js';
import type { Database } from '../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../page.js';
import type { SecretBox } from '../secret-box.js';
import { emit } from './sending/events.store.js';

export interface WebhookEndpoint {
  id: string;
  url: string;
  events: (EventType | '*')[];
  description: string | null;
  /** One at a time for each recipient. */
  ordered: boolean;
  enabled: boolean;
  /** Why it was switched off, where it was not a person who did it. */
  disabledReason: 'gone' | 'failing' | null;
  /** Since when nothing but failures came back. */
  failingSince: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export type WebhookEndpointFields = Pick<WebhookEndpoint, 'url' | 'events' | 'description' | 'ordered' | 'enabled'>;

/** What the fan-out needs: who wants what. */
export interface ListeningEndpoint {
  tenantId: string;
  id: string;
  events: (EventType | '*')[];
  ordered: boolean;
}

/** An endpoint with what signs for it, in clear. */
export interface OpenEndpoint {
  tenantId: string;
  id: string;
  url: string;
  secret: string;
  oldSecret: string | null;
  updatedAt: Date;
}

interface Row {
  id: string;
  url: string;
  events: string[];
  description: string | null;
  ordered: boolean;
  enabled: boolean;
  disabled_reason: WebhookEndpoint['disabledReason'];
  failing_since: Date | null;
  created_at: Date;
  updated_at: Date;
}

const TABLE = 'webhook_endpoints';
const OVERLAP_HOURS = 24;
const GIVE_UP_DAYS = 5;
const COLUMNS =
  'id, url, events, description, ordered, enabled, disabled_reason, failing_since, created_at, updated_at';

/** Where tenants hear what happens. */
export class WebhookEndpointsStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /** Null when the tenant has `limit` endpoints already. */
  async create(
    tenantId: string,
    fields: WebhookEndpointFields,
    { secret, limit }: { secret: string; limit: number },
  ): Promise<WebhookEndpoint | null> {
    const id = newId();
    const row = await this.database.sqlForTenant(tenantId, async (sql) => {
      // One at a time for each tenant: the second sees what the first has made.
      await sql.query({ text: 'select from tenants where id = $1 for no key update', values: [tenantId] });
      const [made] = await sql.query<Row>({
        text: `insert into webhook_endpoints (tenant_id, id, url, events, description, ordered, enabled, secret_sealed)
               select $1::uuid, $2::uuid, $3, $4::text[], $5, $6::boolean, $7::boolean, $8
               where (select count(*) from webhook_endpoints where tenant_id = $1) < $9 returning ${COLUMNS}`,
        values: [
          ...[tenantId, id, fields.url, fields.events, fields.description, fields.ordered, fields.enabled],
          ...[this.seal(tenantId, id, secret), limit],
        ],
      });
      return made;
    });
    return row ? toEndpoint(row) : null;
  }

  async list(tenantId: string, page: PageRequest): Promise<Page<WebhookEndpoint>> {
    const rows = await this.ask<Row>(
      tenantId,
      `select ${COLUMNS} from webhook_endpoints where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`,
      [tenantId, afterIdCursor(page.cursor), page.limit + 1],
    );
    return toPage(rows.map(toEndpoint), page.limit, (row) => row.id);
  }

  async get(tenantId: string, id: string): Promise<WebhookEndpoint | null> {
    const [row] = await this.ask<Row>(
      tenantId,
      `select ${COLUMNS} from webhook_endpoints where tenant_id = $1 and id = $2`,
      [tenantId, id],
    );
    return row ? toEndpoint(row) : null;
  }

  /** A person who enables it again starts its five days anew. */
  async update(tenantId: string, id: string, change: Change<WebhookEndpointFields>): Promise<WebhookEndpoint | null> {
    const [row] = await this.ask<Row>(
      tenantId,
      `update webhook_endpoints set
         url = coalesce($3, url), events = coalesce($4, events), description = case when $5 then $6 else description end,
         ordered = coalesce($7, ordered), enabled = coalesce($8, enabled),
         disabled_reason = case when $8 is null then disabled_reason end, failing_since = case when $8 is null then failing_since end,
         updated_at = now()
       where tenant_id = $1 and id = $2 returning ${COLUMNS}`,
      [
        ...[tenantId, id, change.url ?? null, change.events ?? null],
        ...[
          change.description !== undefined,
          change.description ?? null,
          change.ordered ?? null,
          change.enabled ?? null,
        ],
      ],
    );
    return row ? toEndpoint(row) : null;
  }

  async delete(tenantId: string, id: string): Promise<boolean> {
    const rows = await this.ask(
      tenantId,
      'delete from webhook_endpoints where tenant_id = $1 and id = $2 returning id',
      [tenantId, id],
    );
    return rows.length > 0;
  }

  /** The new secret signs from now on, the old one beside it for a day. Returns until when; null when there is no such endpoint. */
  async rotate(tenantId: string, id: string, secret: string): Promise<Date | null> {
    const [row] = await this.ask<{ old_secret_until: Date }>(
      tenantId,
      `update webhook_endpoints set old_secret_sealed = secret_sealed, old_secret_until = now() + interval '${OVERLAP_HOURS} hours',
         secret_sealed = $3, updated_at = now()
       where tenant_id = $1 and id = $2 returning old_secret_until`,
      [tenantId, id, this.seal(tenantId, id, secret)],
    );
    return row?.old_secret_until ?? null;
  }

  /** An enabled endpoint with its secrets; null where there is none to send to. */
  async opened(tenantId: string, id: string): Promise<OpenEndpoint | null> {
    const [row] = await this.ask<{ url: string; updated_at: Date; secret: string; old: string | null }>(
      tenantId,
      `select url, updated_at, secret_sealed as secret, case when old_secret_until > now() then old_secret_sealed end as old
       from webhook_endpoints where tenant_id = $1 and id = $2 and enabled`,
      [tenantId, id],
    );
    if (!row) return null;
    const place = { tenantId, table: TABLE, id };
    return {
      tenantId,
      id,
      url: row.url,
      secret: this.box.open(row.secret, place),
      oldSecret: row.old && this.box.open(row.old, place),
      updatedAt: row.updated_at,
    };
  }

  /** The enabled endpoints of some tenants. Index: webhook_endpoints_pkey. */
  async listening(tenantIds: readonly string[]): Promise<ListeningEndpoint[]> {
    return await this.database.platform.query<ListeningEndpoint>({
      name: 'listening_endpoints',
      text: `select tenant_id as "tenantId", id, events, ordered from webhook_endpoints where tenant_id = any ($1::uuid[]) and enabled order by id`,
      values: [tenantIds],
    });
  }

  /**
   * A try failed. Switches the endpoint off when it said that it is gone, or when nothing else has come back for five days; its
   * tenant's other endpoints hear of it. Returns whether it is off now.
   */
  async failed(tenantId: string, id: string, gone: boolean): Promise<boolean> {
    const [row] = await this.database.platform.query<{ enabled: boolean }>({
      name: 'endpoint_failed',
      text: FAILED,
      values: [tenantId, id, gone],
    });
    return row?.enabled === false;
  }

  /** A try succeeded after others had failed. */
  async succeeded(tenantId: string, id: string): Promise<void> {
    await this.database.platform.query({
      name: 'endpoint_succeeded',
      text: 'update webhook_endpoints set failing_since = null where tenant_id = $1 and id = $2 and failing_since is not null',
      values: [tenantId, id],
    });
  }

  private seal(tenantId: string, id: string, secret: string): string {
    return this.box.seal(secret, { tenantId, table: TABLE, id });
  }

  private async ask<Found = unknown>(tenantId: string, text: string, values: unknown[]): Promise<Found[]> {
    return await this.database.sqlForTenant(tenantId, (sql) => sql.query<Found & object>({ text, values }));
  }
}

const FAILED = `
with before as (
  select enabled from webhook_endpoints where tenant_id = $1 and id = $2 for update
), changed as (
  update webhook_endpoints w set
    failing_since = coalesce(w.failing_since, now()),
    enabled = w.enabled and not $3 and coalesce(w.failing_since > now() - interval '${GIVE_UP_DAYS} days', true),
    disabled_reason = case when not w.enabled then w.disabled_reason when $3 then 'gone'
      when w.failing_since <= now() - interval '${GIVE_UP_DAYS} days' then 'failing' end
  from before where w.tenant_id = $1 and w.id = $2
  returning w.*
), told as (
  ${emit(`
    select c.tenant_id, 'webhook.disabled', null::text, c.id::text, jsonb_build_object('webhook_id', c.id, 'url', c.url, 'reason', c.disabled_reason)
    from changed c, before b where b.enabled and not c.enabled`)}
)
select enabled from changed`;

function toEndpoint(row: Row): WebhookEndpoint {
  return {
    id: row.id,
    url: row.url,
    events: row.events as WebhookEndpoint['events'],
    description: row.description,
    ordered: row.ordered,
    enabled: row.enabled,
    disabledReason: row.disabled_reason,
    failingSince: row.failing_since,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
