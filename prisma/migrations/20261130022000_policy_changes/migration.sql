-- Names: these hold not only what concerns quiet hours, but what concerns any policy of a recipient or tenant that makes
-- deliveries wait: quiet hours, caps, quotas.
alter table quiet_hours_changes rename to policy_changes;
alter index quiet_hours_changes_pkey rename to policy_changes_pkey;
alter index quiet_hours_changes_due_at_idx rename to policy_changes_due_at_idx;
alter table due_deliveries rename column quiet_recipient_id to policy_recipient_id;
alter table due_deliveries rename column quiet_decided_at to policy_decided_at;
alter index due_deliveries_quiet_idx rename to due_deliveries_policy_idx;
alter trigger note_quiet_hours on tenants rename to note_policies;

create or replace function carillon_note_recipient_change() returns trigger
language plpgsql as $$
begin
  insert into policy_changes (tenant_id, recipient_id) values (new.tenant_id, to_jsonb(new) ->> tg_argv[0]);
  return null;
end
$$;

-- A new profile changes something only if deliveries without a profile are held: an upload of new profiles notes nothing.
-- Index: due_deliveries_policy_idx.
create or replace function carillon_note_new_recipient() returns trigger
language plpgsql as $$
begin
  insert into policy_changes (tenant_id, recipient_id)
  select new.tenant_id, new.id
  where exists (
    select from due_deliveries d where d.tenant_id = new.tenant_id and d.policy_recipient_id = new.id);
  return null;
end
$$;

-- The column with the tenant is the argument.
create or replace function carillon_note_tenant_change() returns trigger
language plpgsql as $$
begin
  insert into policy_changes (tenant_id) values ((to_jsonb(new) ->> coalesce(tg_argv[0], 'id'))::uuid);
  return null;
end
$$;

-- A category decides whether quiet hours and caps hold its deliveries.
create trigger note_policies after update on categories
  for each row when (
    (old.mandatory, old.on_hold, old.on_cap, old.bypass_quiet_hours, old.bypass_caps)
    is distinct from (new.mandatory, new.on_hold, new.on_cap, new.bypass_quiet_hours, new.bypass_caps))
  execute function carillon_note_tenant_change('tenant_id');
create trigger note_new_policies after insert on categories
  for each row when (new.mandatory or new.bypass_quiet_hours or new.bypass_caps)
  execute function carillon_note_tenant_change('tenant_id');

-- Makes each turn of a log, a hit after `moment`, as early as the hits and turns before it allow: a limit was raised, or
-- a place or turn given back. Returns the hits. A turn never becomes later.
create function carillon_earlier_turns(
  hits timestamptz[], max_hits integer, window_seconds integer, days timestamptz[], moment timestamptz
) returns timestamptz[] language plpgsql immutable as $$
declare
  width interval := make_interval(secs => window_seconds);
  turn timestamptz;
  decisive timestamptz;
  today integer;
begin
  for place in width_bucket(moment, hits) + 1 .. cardinality(hits) loop
    turn := greatest(moment, hits[place - 1]);
    decisive := hits[place - max_hits];
    if days is null then
      turn := greatest(turn, decisive + width);
    else
      today := width_bucket(turn, days);
      if decisive >= days[today] then
        turn := coalesce(days[today + 1], turn + interval '1 day');
      end if;
    end if;
    if turn < hits[place] then
      hits[place] := turn;
    end if;
  end loop;
  return hits;
end
$$;

-- Takes a place in all limits of each request, or in none. All arrays have one entry for each limit; `requests` has the
-- number of its request, ascending. `day_starts`: an array in the text format, or null for a rolling window.
-- `comes_back`: whether a refused delivery returns, so that it gets a turn.
--
-- If the turn of the delivery has not come, all turns of the log become as early as they can be now.
--
-- For each request: the index of its limit that refused it, from 0, or null if it was granted; and the time until its
-- turn. With `max_turns` turns outstanding it gets none, and the time is the one of the last turn.
create or replace function carillon_take_limits(
  requests integer[], tenant_ids uuid[], asked_ids uuid[], keys text[], recipient_ids text[], most integer[],
  windows integer[], day_starts text[], comes_back boolean[], max_turns integer[]
) returns table (refused_by integer, wait_seconds double precision) language plpgsql as $$
declare
  logs rate_windows[] := carillon_lock_logs(tenant_ids, keys, recipient_ids, windows, most);
  started timestamptz := clock_timestamp();
  log_of integer[];
  changed boolean[] := array_fill(false, array[cardinality(logs)]);
  entry rate_windows;
  days timestamptz[];
  turns timestamptz[];
  past integer;
  own integer;
  advanced timestamptz[];
  turn timestamptz;
  total integer := cardinality(keys);
  first integer := 1;
  next_first integer;
  decisive integer;
  latest timestamptz;
begin
  -- Both are in the order of tenant and key.
  log_of := array(
    select k.log::integer from (
      select a.ord, dense_rank() over (order by a.tenant_id, a.key) as log
      from unnest(tenant_ids, keys) with ordinality as a(tenant_id, key, ord)
    ) k order by k.ord
  );
  while first <= total loop
    next_first := first;
    decisive := null;
    latest := started;
    turns := '{}';
    loop
      entry := logs[log_of[next_first]];
      days := day_starts[next_first]::timestamptz[];
      past := carillon_past_hits(entry.hits, windows[next_first], days, started);
      if past > 0 then
        entry.hits := entry.hits[past + 1:];
        entry.delivery_ids := entry.delivery_ids[past + 1:];
        logs[log_of[next_first]] := entry;
      end if;
      own := array_position(entry.delivery_ids, asked_ids[first]);
      if own is null then
        turn := carillon_next_place(entry.hits, most[next_first], windows[next_first], days, started);
      else
        if entry.hits[own] > started then
          advanced := carillon_earlier_turns(entry.hits, most[next_first], windows[next_first], days, started);
          if advanced <> entry.hits then
            entry.hits := advanced;
            logs[log_of[next_first]] := entry;
            changed[log_of[next_first]] := true;
          end if;
        end if;
        turn := entry.hits[own];
      end if;
      turns := turns || turn;
      next_first := next_first + 1;
      exit when next_first > total or requests[next_first] <> requests[first];
    end loop;
    -- The first limit whose deliveries do not come back, otherwise the one with the latest turn.
    for place in first .. next_first - 1 loop
      if turns[place - first + 1] > started and not comes_back[place] then
        decisive := place;
        exit;
      elsif turns[place - first + 1] > latest then
        decisive := place;
        latest := turns[place - first + 1];
      end if;
    end loop;
    for place in first .. next_first - 1 loop
      entry := logs[log_of[place]];
      own := array_position(entry.delivery_ids, asked_ids[first]);
      if decisive is null or (place = decisive and comes_back[place]) then
        continue when own is not null;
        if decisive is not null
           and cardinality(entry.hits) - width_bucket(started, entry.hits) >= max_turns[place] then
          turns[place - first + 1] := entry.hits[cardinality(entry.hits)];
          continue;
        end if;
        entry.delivery_ids := entry.delivery_ids || asked_ids[first];
        entry.hits := entry.hits || turns[place - first + 1];
      else
        continue when own is null;
        entry.delivery_ids := entry.delivery_ids[:own - 1] || entry.delivery_ids[own + 1:];
        entry.hits := entry.hits[:own - 1] || entry.hits[own + 1:];
      end if;
      entry.window_seconds := windows[place];
      entry.max_hits := most[place];
      entry.expires_at := coalesce(entry.hits[cardinality(entry.hits)], started)
                          + make_interval(secs => windows[place]);
      logs[log_of[place]] := entry;
      changed[log_of[place]] := true;
    end loop;
    refused_by := decisive - first;
    wait_seconds := extract(epoch from turns[decisive - first + 1] - clock_timestamp());
    return next;
    first := next_first;
  end loop;
  update rate_windows w
  set delivery_ids = l.delivery_ids, hits = l.hits, window_seconds = l.window_seconds, max_hits = l.max_hits,
      expires_at = l.expires_at
  from unnest(logs) with ordinality l
  where changed[l.ordinality] and w.tenant_id = l.tenant_id and w.key = l.key;
end
$$;

-- Removes the places and turns of deliveries. The turns of others in these logs become as early as they can be: returns
-- those, with the time until their turn.
drop function carillon_release_limits(uuid[], uuid[], text[], integer[], integer[], text[]);
create function carillon_release_limits(
  tenant_ids uuid[], released_ids uuid[], keys text[], most integer[], windows integer[], day_starts text[]
) returns table (ord integer, delivery_id uuid, wait_seconds double precision) language plpgsql as $$
declare
  entry record;
  log rate_windows;
  advanced timestamptz[];
  started timestamptz;
  own integer;
begin
  for entry in
    select a.ord as place, a.released_id, w.tenant_id, w.key, a.max_hits, a.width, a.starts::timestamptz[] as days
    from unnest(tenant_ids, keys, released_ids, most, windows, day_starts) with ordinality
      as a(tenant_id, key, released_id, max_hits, width, starts, ord)
    join rate_windows w on w.tenant_id = a.tenant_id and w.key = a.key
    order by w.tenant_id, w.key, a.ord
  loop
    select w.* into log from rate_windows w where w.tenant_id = entry.tenant_id and w.key = entry.key for update;
    continue when not found;
    own := array_position(log.delivery_ids, entry.released_id);
    if own is not null then
      log.delivery_ids := log.delivery_ids[:own - 1] || log.delivery_ids[own + 1:];
      log.hits := log.hits[:own - 1] || log.hits[own + 1:];
    end if;
    started := clock_timestamp();
    advanced := carillon_earlier_turns(log.hits, entry.max_hits, entry.width, entry.days, started);
    continue when own is null and advanced = log.hits;
    for place in 1 .. cardinality(advanced) loop
      if advanced[place] < log.hits[place] then
        ord := entry.place;
        delivery_id := log.delivery_ids[place];
        wait_seconds := extract(epoch from advanced[place] - started);
        return next;
      end if;
    end loop;
    update rate_windows w set delivery_ids = log.delivery_ids, hits = advanced
    where w.tenant_id = log.tenant_id and w.key = log.key;
  end loop;
end
$$;
