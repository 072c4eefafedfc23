-- The erasure of a recipient finds suppressions, and notifications that told an endpoint of one, by the delivery that caused them: the
-- recipient may have another address since.
create index suppressions_delivery_id_idx on suppressions (tenant_id, delivery_id) where delivery_id is not null;
create index notifications_event_delivery_idx on notifications (tenant_id, (payload->'data'->>'delivery_id'))
  where endpoint_id is not null and type = 'suppression.created';
