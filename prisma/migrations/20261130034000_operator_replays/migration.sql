-- The operator's replays of dead letters are jobs of the platform. Its id, the nil UUID, is not in `tenants`.
alter table jobs drop constraint jobs_tenant_id_fkey;
-- Items that needed no work when their turn came.
alter table jobs add column skipped bigint not null default 0;
-- The job that replayed it; null for a single replay. A repeated chunk counts its own replays as done.
alter table dead_letters add column replay_job uuid;
