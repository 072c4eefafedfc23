-- Where the send goes that `sending` announces. If the worker is lost, its attempt is recorded with this account, so
-- that only this account may report on it.
alter table due_deliveries add column sending_provider text, add column sending_account_id uuid;
