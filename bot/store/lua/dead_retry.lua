-- Put a dead letter back into its mailbox, past the seen mark, to be answered as if nothing had been tried.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  message id
-- ARGV[2]  doorbell channel
-- ARGV[3]  now, Unix ms; '' in production
-- Returns  1, or 0 if there is no such letter
--
-- One script, because a message must be in its mailbox or among the dead letters, never in both or neither. It keeps
-- its arrival, by which a /reset since then is known, and is marked as retried, so that its age is no reason to
-- apologise. A second run finds the letter gone. O(log n).

local prefix, id, doorbell, now = KEYS[1], ARGV[1], ARGV[2], clock(ARGV[3])

local letter = prefix .. ':dead:' .. id
local body, conversation = unpack(redis.call('HMGET', letter, 'body', 'conversation'))
if not (body and conversation) then
  return 0
end
if redis.call('HSETNX', prefix .. ':body:' .. conversation, id, string.format('%d:2:', arrival(body)) .. record_of(body)) == 1 then
  redis.call('RPUSH', prefix .. ':mail:' .. conversation, id)
end
follow_clock(prefix, now)
redis.call('ZADD', prefix .. ':due', 'NX', now, conversation)
note_clock(prefix, now)
drop_letter(prefix, id, conversation)
redis.call('PUBLISH', doorbell, '')
return 1
