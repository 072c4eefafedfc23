import { newId } from '#domain';
import type { Change } from '../change.js';
import type { Database } from '../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../page.js';
import type { SecretBox } from '../secrets/secret-box.js';
import type { Sql } from '../statement.js';
import { type AuditNote, auditStatement } from './audit/audit-entry.js';
import { emit } from './sending/emit-events.js';
import {
  type EndpointRow,
  type ListeningEndpoint,
  type OpenEndpoint,
  toEndpoint,
  type WebhookEndpoint,
  type WebhookEndpointFields,
} from './webhook-endpoint.js';

const TABLE = 'webhook_endpoints';
const OVERLAP_HOURS = 24;
const GIVE_UP_DAYS = 5;
const COLUMNS =
  'id, url, events, description, ordered, enabled, disabled_reason, failing_since, created_at, updated_at';

/** The webhook endpoints of tenants. */
export class WebhookEndpointsStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /** Null if the tenant already has `limit` endpoints. Indexes: tenants_pkey, webhook_endpoints_pkey. */
  async create(
    tenantId: string,
    fields: WebhookEndpointFields,
    { secret, limit }: { secret: string; limit: number },
    audit: AuditNote | null,
  ): Promise<WebhookEndpoint | null> {
    const id = newId();
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      // Serialises creations of a tenant, so that each counts the endpoints of the one before.
      await sql.query({ text: 'select from tenants where id = $1 for no key update', values: [tenantId] });
      const [created] = await sql.query<EndpointRow>({
        text: `insert into webhook_endpoints (tenant_id, id, url, events, description, ordered, enabled, secret_sealed)
               select $1::uuid, $2::uuid, $3, $4::text[], $5, $6::boolean, $7::boolean, $8
               where (select count(*) from webhook_endpoints where tenant_id = $1) < $9 returning ${COLUMNS}`,
        values: [
          ...[tenantId, id, fields.url, fields.events, fields.description, fields.ordered, fields.enabled],
          ...[this.seal(tenantId, id, secret), limit],
        ],
      });
      if (!created) return null;
      await sql.query(auditStatement(audit, { tenantId, subject: id, after: recordedFields(created) }));
      return toEndpoint(created);
    });
  }

  async list(tenantId: string, page: PageRequest): Promise<Page<WebhookEndpoint>> {
    const rows = await this.query<EndpointRow>(
      tenantId,
      `select ${COLUMNS} from webhook_endpoints
       where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`,
      [tenantId, afterIdCursor(page.cursor), page.limit + 1],
    );
    return toPage(rows.map(toEndpoint), page.limit, (row) => row.id);
  }

  async get(tenantId: string, id: string): Promise<WebhookEndpoint | null> {
    const [row] = await this.query<EndpointRow>(
      tenantId,
      `select ${COLUMNS} from webhook_endpoints where tenant_id = $1 and id = $2`,
      [tenantId, id],
    );
    return row ? toEndpoint(row) : null;
  }

  /** Setting `enabled` clears the recorded failures. Index: webhook_endpoints_pkey. */
  async update(
    tenantId: string,
    id: string,
    change: Change<WebhookEndpointFields>,
    audit: AuditNote | null,
  ): Promise<WebhookEndpoint | null> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const [before] = await sql.query<EndpointRow>({
        text: `select ${COLUMNS} from webhook_endpoints where tenant_id = $1 and id = $2 for update`,
        values: [tenantId, id],
      });
      if (!before) return null;
      const after = await changed(sql, tenantId, id, change);
      const fields = { before: recordedFields(before), after: recordedFields(after) };
      await sql.query(auditStatement(audit, { tenantId, subject: id, ...fields }));
      return toEndpoint(after);
    });
  }

  async delete(tenantId: string, id: string, audit: AuditNote | null): Promise<boolean> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const [deleted] = await sql.query<EndpointRow>({
        text: `delete from webhook_endpoints where tenant_id = $1 and id = $2 returning ${COLUMNS}`,
        values: [tenantId, id],
      });
      if (!deleted) return false;
      await sql.query(auditStatement(audit, { tenantId, subject: id, before: recordedFields(deleted) }));
      return true;
    });
  }

  /**
   * Sets a new signing secret. The old one signs too for a day more: returns the end of that time, or null if the
   * endpoint does not exist.
   */
  async rotate(tenantId: string, id: string, secret: string, audit: AuditNote | null): Promise<Date | null> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const [row] = await sql.query<{ old_secret_until: Date }>({
        text: `update webhook_endpoints set
                 old_secret_sealed = secret_sealed, old_secret_until = now() + interval '${OVERLAP_HOURS} hours',
                 secret_sealed = $3, updated_at = now()
               where tenant_id = $1 and id = $2 returning old_secret_until`,
        values: [tenantId, id, this.seal(tenantId, id, secret)],
      });
      if (!row) return null;
      await sql.query(auditStatement(audit, { tenantId, subject: id, after: row }));
      return row.old_secret_until;
    });
  }

  /** An enabled endpoint with its secrets; null if it does not exist or is disabled. */
  async opened(tenantId: string, id: string): Promise<OpenEndpoint | null> {
    const [row] = await this.query<{ url: string; updated_at: Date; secret: string; old: string | null }>(
      tenantId,
      `select url, updated_at, secret_sealed as secret,
              case when old_secret_until > now() then old_secret_sealed end as old
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
      text: `select tenant_id as "tenantId", id, events, ordered from webhook_endpoints
             where tenant_id = any ($1::uuid[]) and enabled order by id`,
      values: [tenantIds],
    });
  }

  /**
   * Records a failed attempt. Disables the endpoint if it is gone (HTTP 410) or has only failed for five days; the
   * tenant's other endpoints receive an event about that. Returns whether it is disabled now.
   */
  async failed(tenantId: string, id: string, gone: boolean): Promise<boolean> {
    const [row] = await this.database.platform.query<{ enabled: boolean }>({
      name: 'endpoint_failed',
      text: FAILED,
      values: [tenantId, id, gone],
    });
    return row?.enabled === false;
  }

  /** Records a successful attempt after failed ones. Index: webhook_endpoints_pkey. */
  async succeeded(tenantId: string, id: string): Promise<void> {
    await this.database.platform.query({
      name: 'endpoint_succeeded',
      text: `update webhook_endpoints set failing_since = null
             where tenant_id = $1 and id = $2 and failing_since is not null`,
      values: [tenantId, id],
    });
  }

  private seal(tenantId: string, id: string, secret: string): string {
    return this.box.seal(secret, { tenantId, table: TABLE, id });
  }

  private async query<Found = unknown>(tenantId: string, text: string, values: unknown[]): Promise<Found[]> {
    return await this.database.sqlForTenant(tenantId, (sql) => sql.query<Found & object>({ text, values }));
  }
}

async function changed(
  sql: Sql,
  tenantId: string,
  id: string,
  change: Change<WebhookEndpointFields>,
): Promise<EndpointRow> {
  const { url = null, events = null, description, ordered = null, enabled = null } = change;
  const [row] = await sql.query<EndpointRow>({
    text: `update webhook_endpoints set
             url = coalesce($3, url), events = coalesce($4, events),
             description = case when $5 then $6 else description end,
             ordered = coalesce($7, ordered), enabled = coalesce($8, enabled),
             disabled_reason = case when $8 is null then disabled_reason end,
             failing_since = case when $8 is null then failing_since end,
             updated_at = now()
           where tenant_id = $1 and id = $2 returning ${COLUMNS}`,
    values: [tenantId, id, url, events, description !== undefined, description ?? null, ordered, enabled],
  });
  return row!;
}

/** Of the URL only the origin, because its path and query may contain a secret. */
function recordedFields({ url, events, ordered, enabled }: EndpointRow): object {
  return { url: URL.parse(url)?.origin ?? null, events, ordered, enabled };
}

/** Index: webhook_endpoints_pkey, on which `before` locks the row. */
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
), inserted_events as (
  ${emit(`
    select c.tenant_id, 'webhook.disabled', null::text, c.id::text,
           jsonb_build_object('webhook_id', c.id, 'url', c.url, 'reason', c.disabled_reason)
    from changed c, before b where b.enabled and not c.enabled`)}
)
select enabled from changed`;
