-- The log of a frequency cap has the recipient, so that an erasure finds it. Logs of recipient_limits have no value
-- here: their keys are `channel:recipient`.
alter table rate_windows add column recipient_id text;
create index rate_windows_recipient_id_idx on rate_windows (tenant_id, recipient_id) where recipient_id is not null;

-- Hits from before deliveries were noted with them. The functions below need one delivery for each hit.
update rate_windows set delivery_ids = array_fill(null::uuid, array[cardinality(hits)])
where cardinality(delivery_ids) <> cardinality(hits);

-- The index of the last hit of a log that no longer counts at the time `moment`, or 0. `hits`: oldest first. `days`:
-- the starts of days from yesterday on for a limit per calendar day; null for a rolling window.
create function carillon_past_hits(
  hits timestamptz[], window_seconds integer, days timestamptz[], moment timestamptz
) returns integer language sql immutable as $$
  select case
    when days is null then width_bucket(moment - make_interval(secs => window_seconds), hits)
    else width_bucket(coalesce(days[width_bucket(moment, days)], '-infinity') - interval '1 microsecond', hits)
  end
$$;

-- The time of the next place in a log without past hits: now where fewer than `max_hits` count. Otherwise when the
-- `max_hits`-th newest leaves the rolling window, or the start of the first day that has fewer. Never before the last
-- hit or turn.
create function carillon_next_place(
  hits timestamptz[], max_hits integer, window_seconds integer, days timestamptz[], moment timestamptz
) returns timestamptz language plpgsql immutable as $$
declare
  size integer := cardinality(hits);
  turn timestamptz := greatest(moment, hits[size]);
  decisive timestamptz := hits[size - max_hits + 1];
  today integer;
begin
  if days is null then
    return greatest(turn, decisive + make_interval(secs => window_seconds));
  end if;
  today := width_bucket(turn, days);
  if decisive >= days[today] then
    -- Beyond the days that the caller knows, the delivery asks again.
    return coalesce(days[today + 1], turn + interval '1 day');
  end if;
  return turn;
end
$$;

-- Locks the logs with these keys in the order of their keys, so that two batches never deadlock, and returns them in
-- that order. Creates the missing ones. One may be deleted by the clean-up before it is locked, hence the loop.
create function carillon_lock_logs(
  tenant_ids uuid[], keys text[], recipient_ids text[], window_seconds integer[], max_hits integer[]
) returns rate_windows[] language plpgsql as $$
declare
  logs rate_windows[];
begin
  loop
    insert into rate_windows (tenant_id, key, recipient_id, delivery_ids, hits, window_seconds, max_hits, expires_at)
    select distinct on (a.tenant_id, a.key) a.tenant_id, a.key, a.recipient_id, '{}', '{}', a.window_seconds,
           a.max_hits, now() + make_interval(secs => a.window_seconds)
    from unnest(tenant_ids, keys, recipient_ids, window_seconds, max_hits)
      as a(tenant_id, key, recipient_id, window_seconds, max_hits)
    order by a.tenant_id, a.key
    on conflict do nothing;
    logs := array(
      select w from rate_windows w
      where (w.tenant_id, w.key) in (select * from unnest(tenant_ids, keys))
      order by w.tenant_id, w.key for update
    );
    exit when cardinality(logs) = (select count(distinct (k.tenant_id, k.key))
                                   from unnest(tenant_ids, keys) as k(tenant_id, key));
  end loop;
  return logs;
end
$$;

-- Takes a place in all limits of each request, or in none. All arrays have one entry for each limit; `requests` has the
-- number of its request, ascending. `day_starts`: an array in the text format, or null for a rolling window.
-- `comes_back`: whether a refused delivery returns, so that it gets a turn.
--
-- For each request: the index of its limit that refused it, from 0, or null if it was granted; and the time until its
-- turn. With `max_turns` turns outstanding it gets none, and the time is the one of the last turn.
create function carillon_take_limits(
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
      turns := turns || coalesce(
        entry.hits[own], carillon_next_place(entry.hits, most[next_first], windows[next_first], days, started));
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

-- Removes the places and turns of deliveries. If a limit then has a place now, the first delivery with a turn gets it:
-- its turn becomes now. Returns these deliveries.
create function carillon_release_limits(
  tenant_ids uuid[], released_ids uuid[], keys text[], most integer[], windows integer[], day_starts text[]
) returns table (ord integer, delivery_id uuid) language plpgsql as $$
declare
  entry record;
  days timestamptz[];
  started timestamptz;
  past integer;
  own integer;
  counted integer;
begin
  for entry in
    select a.ord as place, a.released_id, w.tenant_id, w.key, a.max_hits, a.width, a.starts
    from unnest(tenant_ids, keys, released_ids, most, windows, day_starts) with ordinality
      as a(tenant_id, key, released_id, max_hits, width, starts, ord)
    join rate_windows w on w.tenant_id = a.tenant_id and w.key = a.key
    order by w.tenant_id, w.key, a.ord
  loop
    declare
      log rate_windows;
    begin
      select w.* into log from rate_windows w where w.tenant_id = entry.tenant_id and w.key = entry.key for update;
      own := array_position(log.delivery_ids, entry.released_id);
      continue when own is null;
      started := clock_timestamp();
      days := entry.starts::timestamptz[];
      log.delivery_ids := log.delivery_ids[:own - 1] || log.delivery_ids[own + 1:];
      log.hits := log.hits[:own - 1] || log.hits[own + 1:];
      past := carillon_past_hits(log.hits, entry.width, days, started);
      counted := width_bucket(started, log.hits);
      if counted - past < entry.max_hits and counted < cardinality(log.hits) then
        log.hits[counted + 1] := started;
        ord := entry.place;
        delivery_id := log.delivery_ids[counted + 1];
        return next;
      end if;
      update rate_windows w set delivery_ids = log.delivery_ids, hits = log.hits
      where w.tenant_id = log.tenant_id and w.key = log.key;
    end;
  end loop;
end
$$;
