-- Throw a dead letter away.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  message id
-- Returns  1, or 0 if there is no such letter
--
-- One script, because the letter stands in three places. A second run finds it gone. O(log n).

local prefix, id = KEYS[1], ARGV[1]

local conversation = redis.call('HGET', prefix .. ':dead:' .. id, 'conversation')
if not conversation then
  return redis.call('ZREM', prefix .. ':dead', id)
end
drop_letter(prefix, id, conversation)
return 1
