-- The account that reported. It is compared with the account of the send, once that is recorded. Null: parked by an
-- earlier release, for an hour at most; such a receipt is not compared.
alter table parked_receipts add column provider_account_id uuid;
