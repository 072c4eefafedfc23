// SQL that selects the templates of a delivery, in the statement that loads it.

import { PLATFORM_TENANT_ID } from '#domain';

/** The templates of an owner that an id or a key (SQL) selects on the channel of `d`. */
function headsOfOwner(owner: string, idOrKey: string, fields = ''): string {
  return `(
    select json_agg(json_build_object('id', m.id, 'locale', m.locale, 'version', m.version${fields}))
    from (
      select id, locale, version from templates
      where tenant_id = ${owner} and key = ${idOrKey} and channel = d.channel and kind = 'template'
      union all
      select id, locale, version from templates
      where tenant_id = ${owner} and channel = d.channel and kind = 'template' and id = case
        when ${idOrKey} ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (${idOrKey})::uuid
      end
    ) m
  )`;
}

/** The templates of the tenant, or else of the platform. The second look-up runs only if the first finds nothing. */
export const headsOf = (idOrKey: string): string => `case when ${idOrKey} is not null then (
         select coalesce(
           ${headsOfOwner('d.tenant_id', idOrKey)},
           ${headsOfOwner(`'${PLATFORM_TENANT_ID}'`, idOrKey, `, 'platform', true`)}
         )
       ) end`;
