-- Which request took the key: one that gives it back late must not give back the key of another. Null for sends and for rows of an
-- earlier release.
alter table idempotency_keys add column token uuid;
