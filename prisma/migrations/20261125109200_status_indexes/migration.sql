-- Two partial indexes instead of one: notifications that have ended by their status, and those that have not. Neither can serve a list without a status;
-- the one index could, by a skip scan and a sort of all of the tenant's rows, wherever statements were planned on figures of a small table.
drop index notifications_final_status_tenant_id_id_idx;
create index notifications_final_status_tenant_id_id_idx on notifications (final_status, tenant_id, id) where final_status is not null and endpoint_id is null;
create index notifications_open_idx on notifications (tenant_id, id) where final_status is null and endpoint_id is null;
