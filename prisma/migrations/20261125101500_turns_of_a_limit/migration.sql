-- The limiter remembers whose each hit is, so that a delivery that asks again takes no second one, and keeps hits in the future: the turns
-- it has given to deliveries that it refused. Of hits from before nobody knows whose each is.
alter table rate_windows add column delivery_ids uuid[] not null default '{}';

-- Only workers of the version before still write it.
alter table rate_windows alter column granted set default 0;

-- What a key's log is after these deliveries have asked, in this order: `hits` oldest first, and whose each is. A delivery that is in the log
-- already stays where it is. A new one gets a hit now where fewer than `max_hits` are within the window; otherwise its turn, when the hit
-- `max_hits` before it leaves the window, and never before an earlier turn. With `max_turns` outstanding it gets nothing.
create function carillon_take_turns(
  ids uuid[], hits timestamptz[], asked uuid[], max_hits integer, window_seconds integer, max_turns integer,
  out kept_ids uuid[], out kept_hits timestamptz[], out expires_at timestamptz
) language plpgsql as $$
declare
  started timestamptz := clock_timestamp();
  width interval := make_interval(secs => window_seconds);
  past integer := width_bucket(started - width, hits);
  size integer := cardinality(hits) - past;
  turns integer := cardinality(hits) - width_bucket(started, hits);
  turn timestamptz;
  asking uuid;
begin
  -- Where hits are from before, or a worker of the version before has added one, nobody knows whose which is.
  if cardinality(ids) <> cardinality(hits) then
    ids := array_fill(null::uuid, array[cardinality(hits)]);
  end if;
  kept_ids := ids[past + 1:];
  kept_hits := hits[past + 1:];
  foreach asking in array asked loop
    continue when asking = any (kept_ids);
    turn := greatest(started, kept_hits[size - max_hits + 1] + width, kept_hits[size]);
    if turn > started then
      exit when turns >= max_turns;
      turns := turns + 1;
    end if;
    kept_ids := kept_ids || asking;
    kept_hits := kept_hits || turn;
    size := size + 1;
  end loop;
  expires_at := kept_hits[size] + width;
end
$$;
