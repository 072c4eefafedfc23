-- The search over deliveries (libs/database/src/stores/notifications/search). No index names a column that the record of
-- a delivery changes: these updates would not be HOT any more (docs/adr/0023).

-- By an address that the send named. Longer ones are push tokens, which do not fit into an index.
create index deliveries_address_idx on deliveries (address, tenant_id, id)
  where address is not null and length(address) <= 320;

-- By an address of a profile.
create index recipients_email_idx on recipients (email, tenant_id) where email is not null;
create index recipients_phone_idx on recipients (phone, tenant_id) where phone is not null;

-- By a state or a reason that few deliveries have: the entries that end a delivery without a message that arrives. A
-- delivery that is sent at once has no entry.
create index delivery_log_end_idx on delivery_log (code, tenant_id, delivery_id)
  where code in ('bounced', 'cancelled', 'downgraded', 'expired', 'failed', 'settled', 'suppressed', 'unknown');
create index delivery_log_reason_idx on delivery_log (reason, tenant_id, delivery_id)
  where reason is not null
    and code in ('bounced', 'cancelled', 'downgraded', 'expired', 'failed', 'settled', 'suppressed', 'unknown');
