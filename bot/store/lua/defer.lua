-- Give a conversation back, to be claimed again later.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  conversation id
-- ARGV[2]  token of the claim
-- ARGV[3]  how much later, ms, >= 0
-- ARGV[4]  1 if an exception made it so: it counts an attempt
-- ARGV[5]  doorbell channel
-- ARGV[6]  now, Unix ms; '' in production
-- Returns  1, or 0 if the token does not hold (any more): a second run changes nothing
--
-- Atomic, because giving back what another has claimed would let a third in. O(log n).

local prefix, conversation, token = KEYS[1], ARGV[1], ARGV[2]
local delay_ms, is_error, doorbell, now = tonumber(ARGV[3]), ARGV[4] == '1', ARGV[5], clock(ARGV[6])

local turn = prefix .. ':turn:' .. conversation
if redis.call('HGET', turn, 'token') ~= token then
  return 0
end
redis.call('HDEL', turn, 'token')
redis.call('DEL', prefix .. ':claim:' .. token)
redis.call('HINCRBY', turn, 'crashes', -1)
if is_error then
  redis.call('HINCRBY', turn, 'attempts', 1)
end
make_due(prefix, conversation, now + delay_ms, now, doorbell)
return 1
