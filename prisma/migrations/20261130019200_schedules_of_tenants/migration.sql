-- Workers take a share of the due schedules of each tenant.
create index schedules_tenant_next_at_idx on schedules (tenant_id, next_at) where next_at is not null;
