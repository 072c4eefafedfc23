-- The rule that decided a hold, a suppression or a failure (docs/reasons.md), beside its reason.
alter table delivery_log add column rule text;
