-- Take one send from every bucket it falls under, or from none.
--
-- KEYS[1]  prefix of the bot's budgets, all in its slot
-- ARGV[1]  channel
-- ARGV[2]  now, Unix ms; '' in production
-- ARGV[3…] name, burst, ms per token; name, burst, ms per token; … (`bot` or `chat:<channel>` and the like)
-- Returns  0 if taken, else ms until it could be
--
-- Token buckets: `burst` tokens at most, one more every so many ms. A bucket is kept as the moment at which it will be
-- full, because whole milliseconds are exact where fractions of a token are not; TTL: until then. A chat that the
-- platform closed (429) waits it out. Atomic, because all workers draw on the same buckets and a send is under
-- several. Twice takes twice: a send too few, never too many. O(buckets).

local prefix, channel, now = KEYS[1], ARGV[1], clock(ARGV[2])

local wait = tonumber(redis.call('GET', prefix .. ':closed:' .. channel) or '0') - now
local taken = {}
for i = 3, #ARGV, 3 do
  local key, burst, ms_per_token = prefix .. ':' .. ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local whole_ms = burst * ms_per_token
  -- Bounded, because a clock that was set back must not close a chat for longer than an empty bucket does.
  local missing_ms = math.min(whole_ms, math.max(0, tonumber(redis.call('GET', key) or '0') - now))
  wait = math.max(wait, missing_ms + ms_per_token - whole_ms)
  taken[#taken + 1] = { key, missing_ms + ms_per_token }
end
if wait > 0 then
  return wait
end
for _, bucket in ipairs(taken) do
  redis.call('SET', bucket[1], now + bucket[2], 'PX', bucket[2])
end
return 0
