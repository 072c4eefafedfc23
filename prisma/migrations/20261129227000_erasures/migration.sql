-- Erasures of recipients that are under way or were completed a moment ago. A worker completes one whose API process was
-- lost, and looks once more for rows that were written while it ran. Then the row is deleted, because it contains what
-- was to be erased.
create table erasures (
  tenant_id uuid not null references tenants (id) on delete cascade,
  recipient_id text not null,
  -- The addresses of the profile and of the deliveries: e-mail, phone, device tokens.
  addresses text[] not null default '{}',
  -- Deliveries whose send had begun. The sandbox may write their message after the erasure.
  abandoned_delivery_ids uuid[] not null default '{}',
  requested_at timestamptz not null default now(),
  completed_at timestamptz,
  -- The time from which a worker may take it.
  due_at timestamptz not null,
  primary key (tenant_id, recipient_id)
);
create index erasures_due_at_idx on erasures (due_at);
select carillon_protect('erasures');

-- Notifications that told an endpoint of a suppressed address. Events of that type have no recipient.
create index notifications_event_address_idx on notifications (tenant_id, (payload->'data'->>'address'))
  where endpoint_id is not null and type = 'suppression.created';
