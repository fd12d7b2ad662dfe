-- Write to the ledger of an open turn.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  conversation id
-- ARGV[2]  token of the claim
-- ARGV[3]  the finished reply as JSON; '' leaves what is there
-- ARGV[4]  index of the part just sent, and
-- ARGV[5]  the platform's id of it; both '' if none was
-- ARGV[6]  index of the part whose sending begins now; '' if none does
-- ARGV[7]  message id
-- Returns  1; 0 if the token does not hold: then nothing may be sent; the platform's id of the part whose sending
--          should begin, if it is out already
--
-- One script, because "this one is out, that one goes next" must not tear: field s<k> is '' while part k is being
-- sent and holds the platform's id afterwards. A finished reply is written once, a later one does not replace it; from
-- then on `attempts`, `crashes` and `failing` are those of its delivery. Each new id begins `attempts` and `failing`
-- anew: they are those of one part, and a long reply is not given up for failures of several. The id of a part that is
-- being sent is taken from whoever had the turn of this message before, too: one that was held up for longer than its
-- lease saves the next one from sending it again. Twice is as once. O(1).

local prefix, conversation, token, reply = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local sent, sent_id, sending, id = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local turn = prefix .. ':turn:' .. conversation
if redis.call('HGET', turn, 'token') ~= token then
  if sent ~= '' and redis.call('HGET', turn, 'id') == id and redis.call('HGET', turn, 's' .. sent) == '' then
    redis.call('HSET', turn, 's' .. sent, sent_id, 'attempts', 0)
    redis.call('HDEL', turn, 'failing')
  end
  return 0
end
if reply ~= '' then
  if redis.call('HSETNX', turn, 'reply', reply) == 1 then
    redis.call('HSET', turn, 'attempts', 0, 'crashes', redis.call('HGET', turn, 'charged') or 1)
    redis.call('HDEL', turn, 'failing')
  end
end
if sent ~= '' and redis.call('HGET', turn, 's' .. sent) ~= sent_id then
  redis.call('HSET', turn, 's' .. sent, sent_id, 'attempts', 0)
  redis.call('HDEL', turn, 'failing')
end
if sending ~= '' and redis.call('HSETNX', turn, 's' .. sending, '') == 0 then
  local known = redis.call('HGET', turn, 's' .. sending)
  if known ~= '' then
    return known
  end
end
return 1
