// Lua scripts for Redis. They use the clock of the server (TIME), in milliseconds. All keys of a script have the same
// hash tag, so they are on one node of a cluster.

/** The part of the Redis connection that these stores need. Implemented by Redis in libs/redis. */
export interface Scripts {
  /** False while the server is unavailable. Callers then do not run scripts. */
  readonly connected: boolean;
  run(script: string, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown>;
}

/**
 * Exact logs of hits. KEYS: 1 the time since which this tenant's hits are complete in Redis, then the log of each
 * limit, a sorted set of delivery ids by time: hits, and turns, which are hits in the future. ARGV: 1 a request in
 * JSON. `id` is the delivery. Its `limits` have:
 *
 * - `limit`, `window` in milliseconds, `days`: the starts of days for a limit per calendar day, else absent
 * - `returns`: whether a refused delivery comes back · `turns`: the number of turns that may be reserved
 * - `lost`: deliveries whose hits may be lost, absent before PostgreSQL was asked · `known`: id and age of each hit
 *   found there
 */
const LOGS = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local request = cjson.decode(ARGV[1])
local since = tonumber(redis.call('GET', KEYS[1]))
local function is_unknown(place, limit)
  return not limit.lost and now - (since or now) < limit.window and redis.call('EXISTS', KEYS[place + 1]) == 0
end
local function day_of(limit, time)
  local day = 0
  while limit.days[day + 1] and limit.days[day + 1] <= time do day = day + 1 end
  return day
end
local function oldest_that_counts(limit)
  if limit.days then return limit.days[day_of(limit, now)] or 0 end
  return now - limit.window + 1
end
local function score_at(key, rank)
  return tonumber(redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')[2])
end
local function size_of(key, limit)
  return redis.call('ZCOUNT', key, oldest_that_counts(limit), '+inf')
end
local function next_place(key, limit, before)
  local card = redis.call('ZCARD', key)
  local finish = before or card
  local size = size_of(key, limit) - (card - finish)
  if size <= 0 then return now end
  local turn = math.max(now, score_at(key, finish - 1))
  if size < limit.limit then return turn end
  local decisive = score_at(key, finish - limit.limit)
  if not limit.days then return math.max(turn, decisive + limit.window) end
  local today = day_of(limit, turn)
  if decisive < (limit.days[today] or 0) then return turn end
  return limit.days[today + 1] or turn + 86400000
end`;

/**
 * Takes a place in all logs or in none. A turn becomes earlier if the hits and turns before it allow that now.
 * `request.keep`: time to live of KEYS 1 · `request.wait`: how long to wait for hits that may be lost.
 *
 * Returns {1} granted · {0, wait, index} refused by this limit until the turn · {2, wait} not decided: hits may be
 * lost · {-1, age, index, …} unknown: the logs of these limits are empty and the tenant's data is younger than the
 * window (a new tenant, or a flushed server), so the caller has to ask PostgreSQL. age: of the tenant's data in Redis.
 */
export const TAKE_LIMITS = `${LOGS}
if not since then
  since = now
  redis.call('SET', KEYS[1], now)
end
redis.call('PEXPIRE', KEYS[1], request.keep)
local unknown = {-1, now - since}
for place, limit in ipairs(request.limits) do
  if is_unknown(place, limit) then unknown[#unknown + 1] = place - 1 end
end
if #unknown > 2 then return unknown end
local turns, decisive, latest, undecided = {}, nil, now, false
for place, limit in ipairs(request.limits) do
  local key = KEYS[place + 1]
  for _, hit in ipairs(limit.known) do redis.call('ZADD', key, 'NX', now - hit[2], hit[1]) end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. oldest_that_counts(limit))
  local own = redis.call('ZSCORE', key, request.id)
  turns[place] = tonumber(own) or next_place(key, limit)
  if own and turns[place] > now then
    turns[place] = math.min(turns[place], next_place(key, limit, redis.call('ZRANK', key, request.id)))
  end
  local size = redis.call('ZCARD', key)
  local lost = 0
  for _, id in ipairs(limit.lost or {}) do
    if not redis.call('ZSCORE', key, id) then lost = lost + 1 end
  end
  if not own and size < limit.limit and size + lost >= limit.limit then undecided = true end
end
for place, limit in ipairs(request.limits) do
  if turns[place] > now and not limit.returns then
    decisive, latest = place, turns[place]
    break
  elseif turns[place] > latest then
    decisive, latest = place, turns[place]
  end
end
if undecided and not decisive then return {2, request.wait} end
for place, limit in ipairs(request.limits) do
  local key = KEYS[place + 1]
  if not decisive or (place == decisive and limit.returns) then
    local own = redis.call('ZSCORE', key, request.id)
    if decisive and not own and redis.call('ZCOUNT', key, '(' .. now, '+inf') >= limit.turns then
      latest = score_at(key, -1)
    elseif not own or tonumber(own) > turns[place] then
      redis.call('ZADD', key, turns[place], request.id)
      redis.call('PEXPIRE', key, score_at(key, -1) + limit.window - now)
    end
  else
    redis.call('ZREM', key, request.id)
  end
end
if decisive then return {0, latest - now, decisive - 1} end
return {1}`;

/**
 * Removes the delivery from all logs. If a limit then has a place now, the first delivery with a turn gets it. Returns
 * the ids of these deliveries.
 */
export const RELEASE_LIMITS = `${LOGS}
local promoted = {}
for place, limit in ipairs(request.limits) do
  local key = KEYS[place + 1]
  if redis.call('ZREM', key, request.id) == 1
     and redis.call('ZCOUNT', key, oldest_that_counts(limit), now) < limit.limit then
    local waiting = redis.call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'LIMIT', 0, 1)[1]
    if waiting then
      redis.call('ZADD', key, now, waiting)
      promoted[#promoted + 1] = waiting
    end
  end
end
return promoted`;

/** Returns {remaining places, wait} for each limit, or {-1, age} where {@link TAKE_LIMITS} would not know. */
export const PEEK_LIMITS = `${LOGS}
local places = {}
for place, limit in ipairs(request.limits) do
  local key = KEYS[place + 1]
  if is_unknown(place, limit) then
    places[place] = {-1, now - (since or now)}
  else
    places[place] = {math.max(0, limit.limit - size_of(key, limit)), next_place(key, limit) - now}
  end
end
return places`;

/**
 * A token bucket that holds the tokens of one minute and fills evenly.
 *
 * KEYS: 1 the bucket. ARGV: 1 tokens per minute. Returns {1 granted or 0 refused, remaining tokens rounded down,
 * milliseconds until the next token (refused) or until the bucket is full (granted)}.
 */
export const TOKEN_BUCKET = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local size = tonumber(ARGV[1])
local rate = size / 60000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(size, (tonumber(bucket[1]) or size) + math.max(0, now - (tonumber(bucket[2]) or now)) * rate)
local granted = 0
if tokens >= 1 then
  granted = 1
  tokens = tokens - 1
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], 60000)
local wait = granted == 1 and (size - tokens) / rate or (1 - tokens) / rate
return {granted, math.floor(tokens), math.ceil(wait)}`;
