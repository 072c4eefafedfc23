-- Tells whether a shared content is still in use. Not led by the tenant, so that it is no candidate for looking a notification up. By itself, so
-- that the lock of the column before it, which no read passes, is not held while the index is built.
create index notifications_shared_content_id_tenant_id_idx on notifications (shared_content_id, tenant_id) where shared_content_id is not null;
