-- Prolong the leases of one partition that still belong to their tokens.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  lease, ms
-- ARGV[2]  now, Unix ms; '' in production
-- ARGV[3…] conversation, token, conversation, token, …
-- Returns  the tokens that hold
--
-- Atomic for each pair, because a lease must not be prolonged once another has it. Twice is as once. O(n log m).

local prefix, lease_ms, now = KEYS[1], tonumber(ARGV[1]), clock(ARGV[2])

follow_clock(prefix, now)
local held = {}
for i = 3, #ARGV, 2 do
  local conversation, token = ARGV[i], ARGV[i + 1]
  if redis.call('HGET', prefix .. ':turn:' .. conversation, 'token') == token then
    redis.call('ZADD', prefix .. ':due', 'XX', now + lease_ms, conversation)
    redis.call('SET', prefix .. ':claim:' .. token, conversation, 'PX', lease_ms)
    held[#held + 1] = token
  end
end
if #held > 0 then
  note_clock(prefix, now)
end
return held
