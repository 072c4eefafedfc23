import { type ChannelId, isId, PLATFORM_TENANT_ID } from '#domain';
import { Batcher } from '../../batcher.js';
import { columnList } from '../../column-list.js';
import type { Database } from '../../database.js';
import type { TemplateHead } from './template.js';

interface HeadKey {
  tenantId: string;
  idOrKey: string;
  channel: ChannelId;
}

/** With the JSON of the payload schema of its current version. */
export interface SendableTemplate extends TemplateHead {
  payloadSchema: string | null;
}

const headColumns = columnList<HeadKey>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  key: ['text', ({ idOrKey }) => idOrKey],
  channel: ['text', ({ channel }) => channel],
  id: ['uuid', ({ idOrKey }) => (isId(idOrKey) ? idOrKey : null)],
});

const FOUND = `x.channel = i.channel and x.kind = 'template' and (x.key = i.key or x.id = i.id)`;

/** Indexes: templates_tenant_id_key_channel_locale_key, templates_pkey, template_versions_pkey. */
const TEMPLATE_HEADS = `
select i.ord::int as ord, t.id, t.locale, t.version, t.tenant_id = '${PLATFORM_TENANT_ID}' as platform,
       v.payload_schema::text as "payloadSchema"
from ${headColumns.numberedTable('i')}
cross join lateral (
  select x.tenant_id, x.id, x.locale, x.version from templates x where x.tenant_id = i.tenant_id and ${FOUND}
  union all
  select x.tenant_id, x.id, x.locale, x.version from templates x
  where x.tenant_id = '${PLATFORM_TENANT_ID}' and ${FOUND}
    and not exists (select 1 from templates x where x.tenant_id = i.tenant_id and ${FOUND})
) t
left join template_versions v on v.tenant_id = t.tenant_id and v.template_id = t.id and v.version = t.version`;

/** Reads the templates that sends name. Batches concurrent reads; never uses a cache. */
export class TemplateHeads {
  private readonly loader: Batcher<HeadKey, SendableTemplate[]>;

  constructor(private readonly database: Database) {
    this.loader = new Batcher({ flush: (keys) => this.read(keys), slots: 1, maxBatch: 1_000, maxQueue: 100_000 });
  }

  /** The templates of a key or id on a channel, in every locale: the tenant's, or if it has none the platform's. */
  async find(tenantId: string, idOrKey: string, channel: ChannelId): Promise<SendableTemplate[]> {
    return await this.loader.run({ tenantId, idOrKey, channel });
  }

  private async read(keys: readonly HeadKey[]): Promise<SendableTemplate[][]> {
    // A backlog is mostly many deliveries of few templates: reads each template once.
    const distinct = new Map(keys.map((key) => [`${key.tenantId} ${key.channel} ${key.idOrKey}`, key]));
    const rows = await this.database.platform.query<SendableTemplate & { ord: number }>({
      name: 'template_heads',
      text: TEMPLATE_HEADS,
      values: headColumns.values([...distinct.values()]),
    });
    const byOrd = Map.groupBy(rows, (row) => row.ord - 1);
    const found = new Map([...distinct.keys()].map((name, index) => [name, byOrd.get(index) ?? []]));
    return keys.map((key) => found.get(`${key.tenantId} ${key.channel} ${key.idOrKey}`) ?? []);
  }
}
