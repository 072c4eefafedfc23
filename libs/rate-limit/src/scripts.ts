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
-- last: the last hit or turn before; decisive: the one that has the limit's number of places ago. Both may be nil.
local function turn_after(limit, last, decisive)
  local turn = math.max(now, last or now)
  if not decisive then return turn end
  if not limit.days then return math.max(turn, decisive + limit.window) end
  local today = day_of(limit, turn)
  if decisive < (limit.days[today] or 0) then return turn end
  return limit.days[today + 1] or turn + 86400000
end
local function next_place(key, limit)
  local size = size_of(key, limit)
  if size == 0 then return now end
  return turn_after(limit, score_at(key, -1), size >= limit.limit and score_at(key, -limit.limit) or nil)
end
-- Makes each turn as early as the hits and turns before it allow. Adds the id and wait of those that change to earlier.
local function advance_turns(key, limit, earlier)
  local first = redis.call('ZCOUNT', key, '-inf', now)
  local from = math.max(0, first - limit.limit)
  local members = redis.call('ZRANGE', key, from, -1, 'WITHSCORES')
  local scores = {}
  for place = 1, #members / 2 do
    scores[place] = tonumber(members[2 * place])
    if from + place > first then
      local turn = turn_after(limit, scores[place - 1], scores[place - limit.limit])
      if turn < scores[place] then
        scores[place] = turn
        redis.call('ZADD', key, turn, members[2 * place - 1])
        earlier[#earlier + 1] = {members[2 * place - 1], turn - now}
      end
    end
  end
end`;

/**
 * Takes a place in all logs or in none. If the turn of the delivery has not come, all turns of that log become as early
 * as they can be now.
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
  local own = tonumber(redis.call('ZSCORE', key, request.id))
  if own and own > now then
    advance_turns(key, limit, {})
    own = tonumber(redis.call('ZSCORE', key, request.id))
  end
  turns[place] = own or next_place(key, limit)
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
    elseif not own then
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
 * Removes the delivery from all logs. The turns of others in these logs become as early as they can be. Returns {id,
 * wait} of those that have an earlier one.
 */
export const RELEASE_LIMITS = `${LOGS}
local earlier = {}
for place, limit in ipairs(request.limits) do
  redis.call('ZREM', KEYS[place + 1], request.id)
  advance_turns(KEYS[place + 1], limit, earlier)
end
return earlier`;

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
