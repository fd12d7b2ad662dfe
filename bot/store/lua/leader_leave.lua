-- Give up the lead, so that another need not wait for its end.
--
-- KEYS[1]  STRING token of the leader
-- ARGV[1]  token of this process
-- Returns  1, or 0 if it did not lead
--
-- Atomic, because another's lead must not be ended. A second run finds that it no longer leads. O(1).

local leader, me = KEYS[1], ARGV[1]
if redis.call('GET', leader) ~= me then
  return 0
end
redis.call('DEL', leader)
return 1
