-- What the notifications of a bulk send have in common, stored once (docs/adr/0018).

create table shared_contents (
  tenant_id uuid not null,
  id uuid not null,
  -- json and not jsonb: both are only ever read as a whole, and a large one is written and read in half the time.
  content json,
  payload json,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

alter table notifications add column shared_content_id uuid;

select carillon_protect('shared_contents');
