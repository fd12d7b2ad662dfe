-- Move a message that cannot be answered to the dead letters.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  conversation id
-- ARGV[2]  message id
-- ARGV[3]  token of the claim
-- ARGV[4]  person id
-- ARGV[5]  place id
-- ARGV[6]  reason, for the operator
-- ARGV[7]  life of a dead letter, ms
-- ARGV[8]  doorbell channel
-- ARGV[9]  now, Unix ms; '' in production
-- Returns  settled | done | lost, as settle does
--
-- One script, because a message must be in its mailbox or among the dead letters, never in both or neither. What
-- arrived before a /reset or /forget leaves no dead letter. A second run finds the message gone. O(log n).

local prefix, conversation, id, token, person, place = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local reason, dead_ms, doorbell, now = ARGV[6], tonumber(ARGV[7]), ARGV[8], clock(ARGV[9])

local body = redis.call('HGET', prefix .. ':body:' .. conversation, id)
if not body then
  return 'done'
end
if redis.call('HGET', prefix .. ':turn:' .. conversation, 'token') ~= token then
  return 'lost'
end

if arrival(body) > forgotten_at(prefix, conversation, person, place) then
  local dead, letter, of_person = prefix .. ':dead', prefix .. ':dead:' .. id, prefix .. ':deadof:' .. person
  redis.call('HSET', letter, 'body', body, 'reason', reason, 'conversation', conversation, 'at', now)
  redis.call('PEXPIRE', letter, dead_ms)
  redis.call('SADD', of_person, id)
  redis.call('PEXPIRE', of_person, dead_ms)
  redis.call('ZADD', dead, now, id)
  redis.call('ZREMRANGEBYSCORE', dead, '-inf', now - dead_ms)
end
close_turn(prefix, conversation, id, token, now, doorbell)
return 'settled'
