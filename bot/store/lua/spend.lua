-- Reserve tokens for a person's message, if all its windows hold them.
--
-- KEYS[1]  ZSET of message ids by Unix ms
-- KEYS[2]  HASH message id → tokens reserved or spent
-- KEYS[3]  HASH of refused message ids → retry_ms, below zero if the person was not told; and `until`
-- ARGV[1]  message id
-- ARGV[2]  arrival of the message, Unix ms on Redis's clock
-- ARGV[3]  refusals to keep at most, > 0
-- ARGV[4]  how long a decision is remembered at least, ms; a longer window prolongs it
-- ARGV[5]  tokens, > 0
-- ARGV[6]  now, Unix ms; '' in production
-- ARGV[7…] most tokens, window in ms, most tokens, window in ms, …
-- Returns  { 1, 0, 0 } if reserved, else { 0, ms until it would be, 1 if the person is to be told }
--
-- As exact as limit.lua, and by the same clock. Whoever has spent nothing in a window may ask once, however much it
-- takes: else a bound below one request would be a wall. The same id gets the same decision. Atomic, because summing
-- and reserving must not be parted. O(messages in the window).

local asked, tokens_of, refused, id, arrived = KEYS[1], KEYS[2], KEYS[3], ARGV[1], tonumber(ARGV[2])
local most_refused, keep_ms, tokens, now = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), clock(ARGV[6])

if redis.call('HEXISTS', tokens_of, id) == 1 then
  return { 1, 0, 0 }
end
local decided = refused_before(refused, id)
if decided then
  return decided
end

local at = moment_of(asked, arrived, now)
local free_at = 0
for i = 7, #ARGV, 2 do
  local most, window_ms = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  keep_ms = math.max(keep_ms, window_ms)
  local entries = redis.call('ZRANGE', asked, '(' .. string.format('%d', at - window_ms), '+inf', 'BYSCORE', 'WITHSCORES')
  local sum = 0
  for j = 1, #entries, 2 do
    sum = sum + (tonumber(redis.call('HGET', tokens_of, entries[j])) or 0)
  end
  local over = sum + math.min(tokens, most) - most
  for j = 1, #entries, 2 do
    if over <= 0 then
      break
    end
    over = over - (tonumber(redis.call('HGET', tokens_of, entries[j])) or 0)
    free_at = math.max(free_at, tonumber(entries[j + 1]) + window_ms)
  end
end

if free_at == 0 then
  for _, old in ipairs(redis.call('ZRANGE', asked, '-inf', at - keep_ms, 'BYSCORE')) do
    redis.call('HDEL', tokens_of, old)
    redis.call('ZREM', asked, old)
  end
  redis.call('ZADD', asked, at, id)
  redis.call('HSET', tokens_of, id, tokens)
  redis.call('PEXPIRE', asked, keep_ms)
  redis.call('PEXPIRE', tokens_of, keep_ms)
  return { 1, 0, 0 }
end

return refuse(refused, id, at, free_at, most_refused, keep_ms)
