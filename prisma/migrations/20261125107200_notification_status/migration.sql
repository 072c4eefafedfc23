-- The list by status finds its page among any number of notifications with another one (docs/adr/0023). Null stands for those that are not final.
-- It does not begin with tenant_id, so it is no candidate for a look-up by primary key (docs/adr/0015). What goes to a tenant's
-- own endpoints is not in that list.
create index notifications_final_status_tenant_id_id_idx on notifications (final_status, tenant_id, id) where endpoint_id is null;
