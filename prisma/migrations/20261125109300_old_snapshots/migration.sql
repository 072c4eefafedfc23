-- While a transaction stays open, no row deleted since it began can be removed, and a scan from the front of a queue reads all of them (docs/adr/0025).

-- Lets workers see how old the oldest transaction of any role is (carillon_oldest_transaction_seconds). Where the role that migrates may not grant this,
-- they see only those of their own roles.
do $$
begin
  grant pg_read_all_stats to carillon_platform;
exception when insufficient_privilege then
  raise notice 'carillon_platform may not read the activity of other roles: carillon_oldest_transaction_seconds leaves them out';
end
$$;

-- The last sequence number given out; EventsStore derives its watermarks from it.
grant select on sequence events_seq_seq to carillon_platform;
