-- Payload schemas, partials, layouts, and the platform's own templates.

-- included: what the current version includes, directly or through others: the ids of partials and layouts by key.
alter table templates
  add column kind text not null default 'template' check (kind in ('template', 'partial', 'layout')),
  add column included jsonb not null default '{}';

-- layout: the key of the layout. uses: the partials that each field includes itself. includes: the partials and the
-- layout as they were when the version was written; null when there are none.
alter table template_versions
  add column payload_schema jsonb,
  add column layout text,
  add column uses jsonb not null default '{}',
  add column includes jsonb;

-- The platform's templates have the nil UUID as tenant, and there is no such row in tenants. Every tenant reads them.
alter table templates drop constraint templates_tenant_id_fkey;
create policy platform_templates on templates for select to carillon_tenant
  using (tenant_id = '00000000-0000-0000-0000-000000000000');
create policy platform_templates on template_versions for select to carillon_tenant
  using (tenant_id = '00000000-0000-0000-0000-000000000000');
