-- W3C trace context of the request that created the notification. Receipts come after the row of due_deliveries, which
-- has it too, is deleted.
alter table notifications add column traceparent text;
