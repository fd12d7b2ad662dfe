-- Decide whether a person's message is within all its windows.
--
-- KEYS[1]  ZSET of accepted message ids by Unix ms
-- KEYS[2]  HASH of refused message ids → retry_ms, below zero if the person was not told; and `until`
-- ARGV[1]  message id
-- ARGV[2]  arrival of the message, Unix ms on Redis's clock
-- ARGV[3]  refusals to keep at most, > 0
-- ARGV[4]  how long a decision is remembered at least, ms; a longer window prolongs it
-- ARGV[5]  now, Unix ms; '' in production
-- ARGV[6…] most messages, window in ms, most messages, window in ms, …
-- Returns  { 1, 0, 0 } if accepted, else { 0, ms until one would be accepted, 1 if the person is to be told }
--
-- Exact: never more than N accepted in any window of its length, because the time that counts never runs back. A
-- window is open at its old end: an entry exactly one window old is outside. The same id gets the same decision.
-- Refusals cost nothing. Atomic, because counting and adding must not be parted. O(log N) for each window.

local accepted, refused, id, arrived = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local most_refused, keep_ms, now = tonumber(ARGV[3]), tonumber(ARGV[4]), clock(ARGV[5])

if redis.call('ZSCORE', accepted, id) then
  return { 1, 0, 0 }
end
local decided = refused_before(refused, id)
if decided then
  return decided
end

local at = moment_of(accepted, arrived, now)
local free_at = 0
for i = 6, #ARGV, 2 do
  local most, window_ms = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  keep_ms = math.max(keep_ms, window_ms)
  local nth = redis.call('ZRANGE', accepted, -most, -most, 'WITHSCORES')[2]
  if nth and tonumber(nth) > at - window_ms then
    free_at = math.max(free_at, tonumber(nth) + window_ms)
  end
end

if free_at == 0 then
  redis.call('ZADD', accepted, at, id)
  redis.call('ZREMRANGEBYSCORE', accepted, '-inf', at - keep_ms)
  redis.call('PEXPIRE', accepted, keep_ms)
  return { 1, 0, 0 }
end

return refuse(refused, id, at, free_at, most_refused, keep_ms)
