-- The platform asked for a pause in a chat: nobody sends there until it is over.
--
-- KEYS[1]  prefix of the bot's budgets
-- ARGV[1]  channel
-- ARGV[2]  pause, ms, > 0
-- ARGV[3]  now, Unix ms; '' in production
-- Returns  Unix ms when it opens again
--
-- Atomic, because of two pauses the longer one holds. A second run counts the pause from its own moment: a little
-- longer, never shorter. TTL: the pause. O(1).

local key, now = KEYS[1] .. ':closed:' .. ARGV[1], clock(ARGV[3])
local pause_ms = math.max(pause_left(key, now), tonumber(ARGV[2]))
redis.call('SET', key, now + pause_ms .. ':' .. pause_ms, 'PX', pause_ms)
return now + pause_ms
