-- The lines of uploads. They are staged while the upload arrives; its job is created after the last one. The worker
-- deletes lines that it has accepted and keeps those with errors until the job is deleted.
create table job_lines (
  tenant_id uuid not null,
  -- No foreign key: the lines are there before the job.
  job_id uuid not null,
  -- The line of the file. 1 is the common part.
  line integer not null,
  -- Of lines with errors too, so that erasing the recipient finds what the errors quote.
  recipient_id text,
  -- Null for a line with errors.
  item jsonb,
  -- The size of the item as text; 0 without one. A chunk takes lines up to a number of bytes.
  bytes integer not null default 0,
  -- The instant of a local time for this recipient.
  scheduled_at timestamptz,
  -- Why the line was rejected; null for one that waits.
  code text,
  errors jsonb,
  primary key (tenant_id, job_id, line)
);
create index job_lines_errors_idx on job_lines (tenant_id, job_id, line) where code is not null;
-- Does not begin with tenant_id, so that it is no candidate for reading the lines of a job (docs/adr/0015).
create index job_lines_recipient_id_idx on job_lines (recipient_id, tenant_id) where recipient_id is not null;
select carillon_protect('job_lines');
