-- Deliveries that are left in the queue while their accounts are down expire there: a claim finds those by themselves.
create index due_deliveries_expiry_idx on due_deliveries (tenant_id, expires_at) where expires_at is not null;
