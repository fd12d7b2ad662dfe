-- The leader of a question keeps its mark, or gives it up with nothing to share.
--
-- KEYS[1]  prefix of the knowledge base
-- ARGV[1]  key of scope and question
-- ARGV[2]  message id of the leader
-- ARGV[3]  renew | free
-- ARGV[4]  life of the mark, ms
-- Returns  1, or 0 if another leads by now
--
-- Atomic, because only the leader may speak for the question. Twice is as once. O(1).

local lead, me, act, life_ms = KEYS[1] .. ':lead:' .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if redis.call('GET', lead) ~= me then
  return 0
end
redis.call('SET', lead, act == 'free' and 'free' or me, 'PX', life_ms)
return 1
