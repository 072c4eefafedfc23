// What runs inside Redis. Time is the server's (TIME), in milliseconds. All keys of a script carry the same hash tag, so that
// they live on one node of a cluster.

/** What these stores need of Redis: the redis room's connection. */
export interface Scripts {
  /** False while the server is away: then nobody asks. */
  readonly connected: boolean;
  run(script: string, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown>;
}

/**
 * An exact sliding window.
 *
 * KEYS: 1 the log of this key, a sorted set of delivery ids by time: hits, and turns, which are hits in the future · 2 since when this tenant's hits are known here.
 * ARGV: 1 limit · 2 window · 3 delivery id · 4 how long (2) is kept · 5 hits that may have been taken and lost, or -1 when
 * nobody has looked · 6 how long to wait for those · 7 turns that may be outstanding · then id and age of each hit known from elsewhere.
 *
 * Answers {1, 0, age} granted · {0, wait, age} refused, until the turn · {-1, 0, age} not known: the set is empty, and what is known here
 * does not go back as far as the window (the tenant is new here, or the server was flushed), so somebody must look.
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
 * A token bucket that holds a minute's worth and fills evenly.
 *
 * KEYS: 1 the bucket. ARGV: 1 tokens a minute. Answers {granted 1 or 0, tokens left rounded down, milliseconds until a token
 * is there (refused) or until the bucket is full}.
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
