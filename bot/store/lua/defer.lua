-- Give a conversation back, to be claimed again later.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  conversation id
-- ARGV[2]  token of the claim
-- ARGV[3]  how much later, ms; 0: at once, before whatever came after it; -1: in line, until a place at the model is free
-- ARGV[4]  0: in order; 1: what it needs is away; 2: an exception, or what counts as one: an attempt
-- ARGV[5]  doorbell channel
-- ARGV[6]  now, Unix ms; '' in production
-- Returns  1, or 0 if the token does not hold (any more): a second run changes nothing
--
-- Atomic, because giving back what another has claimed would let a third in. Who lines up rings if nobody did before:
-- from then on whoever has a place looks by himself. `failing` is since when the tries fail in a row: until one comes to
-- the line, or gets on with its reply (record.lua). O(log n).

local prefix, conversation, token = KEYS[1], ARGV[1], ARGV[2]
local delay_ms, trouble, doorbell, now = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], clock(ARGV[6])

local turn = prefix .. ':turn:' .. conversation
if redis.call('HGET', turn, 'token') ~= token then
  return 0
end
redis.call('HDEL', turn, 'token')
redis.call('DEL', prefix .. ':claim:' .. token)
redis.call('HINCRBY', turn, 'crashes', -(tonumber(redis.call('HGET', turn, 'charged')) or 1))
if trouble == 2 then
  redis.call('HINCRBY', turn, 'attempts', 1)
end
if trouble > 0 then
  redis.call('HSETNX', turn, 'failing', now)
elseif delay_ms < 0 then
  redis.call('HDEL', turn, 'failing')
end
-- What arrived ahead of the clock did so before that was set back: it counts as of now.
local due, arrived = prefix .. ':due', math.min(now, arrival_of_turn(prefix, conversation))
if delay_ms < 0 then
  follow_clock(prefix, now)
  redis.call('ZADD', due, IN_LINE + arrived, conversation)
  if redis.call('ZCOUNT', due, IN_LINE, '+inf') == 1 then
    redis.call('PUBLISH', doorbell, '')
  end
else
  make_due(prefix, conversation, delay_ms == 0 and arrived or now + delay_ms, now, doorbell)
end
return 1
