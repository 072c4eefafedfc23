// Lua scripts for Redis. They use the clock of the server (TIME), in milliseconds. All keys of a script have the same
// hash tag, so they are on one node of a cluster.

/** The part of the Redis connection that these stores need. Implemented by Redis in libs/redis. */
export interface Scripts {
  /** False while the server is unavailable. Callers then do not run scripts. */
  readonly connected: boolean;
  run(script: string, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown>;
}

/**
 * An exact sliding window.
 *
 * KEYS: 1 the log of this key, a sorted set of delivery ids by time: hits, and turns, which are hits in the future · 2
 * the time since which this tenant's hits are complete in Redis.
 *
 * ARGV: 1 limit · 2 window · 3 delivery id · 4 time to live of KEYS 2 · 5 hits that may be lost, or -1 before
 * PostgreSQL was asked · 6 how long to wait for those · 7 turns that may be reserved · then id and age of each hit
 * found in PostgreSQL.
 *
 * Returns {1, 0, age} granted · {0, wait, age} refused until the turn · {-1, 0, age} unknown: the set is empty and the
 * tenant's data is younger than the window (a new tenant, or a flushed server), so the caller has to ask PostgreSQL.
 * age: of the tenant's data in Redis.
 */
export const SLIDING_WINDOW = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local limit, window, id, lost = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[5])
local since = tonumber(redis.call('GET', KEYS[2]))
if not since then
  since = now
  redis.call('SET', KEYS[2], now)
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if lost < 0 then
  if now - since < window and redis.call('EXISTS', KEYS[1]) == 0 then return {-1, 0, now - since} end
  lost = 0
end
for at = 8, #ARGV, 2 do redis.call('ZADD', KEYS[1], 'NX', now - ARGV[at + 1], ARGV[at]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local function answer(turn)
  if turn <= now then return {1, 0, now - since} end
  return {0, turn - now, now - since}
end
local own = redis.call('ZSCORE', KEYS[1], id)
if own then return answer(tonumber(own)) end
local count = redis.call('ZCARD', KEYS[1])
if count < limit and count + lost >= limit then return {0, tonumber(ARGV[6]), now - since} end
local turn = now
if count > 0 then
  local last = tonumber(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
  turn = math.max(now, last)
  if count >= limit then
    turn = math.max(turn, redis.call('ZRANGE', KEYS[1], count - limit, count - limit, 'WITHSCORES')[2] + window)
  end
  if turn > now and redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf') >= tonumber(ARGV[7]) then return answer(last) end
end
redis.call('ZADD', KEYS[1], turn, id)
redis.call('PEXPIRE', KEYS[1], turn + window - now)
return answer(turn)`;

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
