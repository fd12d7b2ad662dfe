-- End all claims of one partition: the only process that could hold any has just started this server.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  now, Unix ms; '' in production
-- Returns  claims ended
--
-- What was claimed when the server went down is due at once, the oldest first; the crash stays booked. What was deferred
-- keeps its moment. One script, because a claim made meanwhile must not be ended with them. Twice is as once. O(conversations).

local prefix, now = KEYS[1], clock(ARGV[1])

local ended = 0
for _, conversation in ipairs(redis.call('ZRANGE', prefix .. ':due', '(' .. now, '+inf', 'BYSCORE')) do
  local turn = prefix .. ':turn:' .. conversation
  local token = redis.call('HGET', turn, 'token')
  if token then
    redis.call('HDEL', turn, 'token')
    redis.call('DEL', prefix .. ':claim:' .. token)
    redis.call('ZADD', prefix .. ':due', math.min(now, arrival_of_turn(prefix, conversation)), conversation)
    ended = ended + 1
  end
end
return ended
