-- A change of caps or quotas decides the deliveries again that are held by the old ones, as one of quiet hours does.
create trigger note_caps after update of caps on preferences
  for each row when (old.caps is distinct from new.caps)
  execute function carillon_note_recipient_change('recipient_id');
create trigger note_limits after update of settings on tenants
  for each row when (
    old.settings -> 'caps' is distinct from new.settings -> 'caps'
    or old.settings -> 'deliveries_per_day' is distinct from new.settings -> 'deliveries_per_day'
    or old.settings -> 'deliveries_per_month' is distinct from new.settings -> 'deliveries_per_month')
  execute function carillon_note_tenant_change();

-- Takes a place in all limits of each request, or in none. All arrays have one entry for each limit; `requests` has the
-- number of its request, ascending. `day_starts`: an array in the text format, or null for a rolling window.
-- `comes_back`: whether a refused delivery returns, so that it gets a turn.
--
-- A turn becomes earlier if the hits and turns before it allow that now: the limit was raised, or places returned.
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
        turn := entry.hits[own];
        if turn > started then
          turn := least(turn, carillon_next_place(
            entry.hits[:own - 1], most[next_first], windows[next_first], days, started));
        end if;
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
        if own is not null then
          continue when entry.hits[own] = turns[place - first + 1];
          entry.hits[own] := turns[place - first + 1];
        elsif decisive is not null
           and cardinality(entry.hits) - width_bucket(started, entry.hits) >= max_turns[place] then
          turns[place - first + 1] := entry.hits[cardinality(entry.hits)];
          continue;
        else
          entry.delivery_ids := entry.delivery_ids || asked_ids[first];
          entry.hits := entry.hits || turns[place - first + 1];
        end if;
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
