-- The platform asked for a pause in a chat: nobody sends there until it is over. If it means the bot, nobody sends at all.
--
-- KEYS[1]  prefix of the bot's budgets
-- ARGV[1]  channel
-- ARGV[2]  pause, ms, > 0
-- ARGV[3]  now, Unix ms; '' in production
-- Returns  ms for which nobody sends at all; 0 if the others do
--
-- A platform does not say what was too fast. A limit of the bot ends for all chats at one moment, which each is told in
-- whole seconds; so three pauses that end within a second of each other close the bot until then, or every chat would
-- run into it by itself. Chats that are closed each for itself and end alike by chance cost the others that pause, but
-- five minutes at most: then the next chat that is told so closes the bot again, if it is the bot.
-- Atomic, because of two pauses the longer one holds, and of three reports one is the third. A second run counts the
-- pause from its own moment: a little longer, never shorter. TTL: the pause. O(log of the chats that are closed).

local prefix, channel, pause_ms, now = KEYS[1], ARGV[1], tonumber(ARGV[2]), clock(ARGV[3])
local ALIKE_MS, ONE_CAUSE, LONGEST_MS = 1000, 3, 300000

local function close(whose, ms)
  local key = prefix .. ':closed:' .. whose
  local length_ms = math.max(pause_left(key, now), ms)
  redis.call('SET', key, now + length_ms .. ':' .. length_ms, 'PX', length_ms)
  return length_ms
end

local told, ends = prefix .. ':told', now + pause_ms
redis.call('ZREMRANGEBYSCORE', told, '-inf', now)
redis.call('ZADD', told, ends, channel)
redis.call('PEXPIRE', told, math.max(redis.call('PTTL', told), pause_ms))
close(channel, pause_ms)
if redis.call('ZCOUNT', told, ends - ALIKE_MS, ends + ALIKE_MS) >= ONE_CAUSE then
  return close('bot', math.min(pause_ms, LONGEST_MS))
end
return 0
