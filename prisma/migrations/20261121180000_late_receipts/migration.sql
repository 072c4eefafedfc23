-- A worker that does not know what became of a send asks whether its receipt is there already.
create index parked_receipts_delivery_id_idx on parked_receipts (tenant_id, delivery_id);
