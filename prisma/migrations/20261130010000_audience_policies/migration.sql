-- What a category does with a delivery that quiet hours or a frequency cap keep back, and what it skips.
-- on_cap: null leaves the choice to each cap. digest: {"window_seconds": 3600, "template_id": "daily"}
alter table categories
  add column on_hold text not null default 'hold' check (on_hold in ('hold', 'combine', 'downgrade', 'drop')),
  add column on_cap text check (on_cap in ('hold', 'downgrade', 'drop')),
  add column bypass_quiet_hours boolean not null default false,
  add column bypass_caps boolean not null default false,
  add column digest jsonb;

-- quiet_hours: {"windows": [{"days": ["mon"], "from": "22:00", "to": "08:00"}]}; null: the default of the tenant.
-- caps: [{"channel": "sms", "limit": 3, "window_seconds": 86400, "on_excess": "hold"}]
alter table preferences
  add column quiet_hours jsonb,
  add column caps jsonb not null default '[]';
