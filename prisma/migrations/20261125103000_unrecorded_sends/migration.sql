-- How many sends in a row ended without a record, before the one that is under way. A delivery is quarantined after a bounded number.
alter table due_deliveries add column unrecorded smallint not null default 0;
