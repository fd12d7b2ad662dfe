-- Take one send from every bucket it falls under, or from none.
--
-- KEYS[1]  prefix of the bot's budgets, all in its slot
-- ARGV[1]  channel
-- ARGV[2]  now, Unix ms; '' in production
-- ARGV[3…] name, burst, ms per token; name, burst, ms per token; … (`bot` or `chat:<channel>` and the like)
-- Returns  0 if taken, else ms until it could be
--
-- Token buckets: `burst` tokens at most, one more every so many ms. A chat that the platform closed (429) waits it
-- out. Atomic, because all workers draw on the same buckets and a send is under several. TTL: when full again.
-- Twice takes twice: a send too few, never too many. O(buckets).

local prefix, channel, now = KEYS[1], ARGV[1], clock(ARGV[2])

local wait = tonumber(redis.call('GET', prefix .. ':closed:' .. channel) or '0') - now
local levels = {}
for i = 3, #ARGV, 3 do
  local key, burst, ms_per_token = prefix .. ':' .. ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local bucket = redis.call('HMGET', key, 'tokens', 'at')
  local tokens, at = tonumber(bucket[1] or burst), tonumber(bucket[2] or now)
  tokens = math.min(burst, tokens + math.max(0, now - at) / ms_per_token)
  if tokens < 1 then
    wait = math.max(wait, math.ceil((1 - tokens) * ms_per_token))
  end
  levels[#levels + 1] = { key, tokens, math.ceil(burst * ms_per_token) }
end
if wait > 0 then
  return wait
end
for _, level in ipairs(levels) do
  redis.call('HSET', level[1], 'tokens', string.format('%.6f', level[2] - 1), 'at', now)
  redis.call('PEXPIRE', level[1], level[3])
end
return 0
