-- Become or remain the one process that does something.
--
-- KEYS[1]  STRING token of the leader
-- ARGV[1]  token of this process
-- ARGV[2]  life of the lead, ms
-- Returns  1 if it leads now, else 0
--
-- Atomic, because two must never find it free at once. Twice is as once. O(1).

local leader, me, life_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])
local now_leads = redis.call('GET', leader)
if now_leads and now_leads ~= me then
  if redis.call('PTTL', leader) > life_ms then
    redis.call('PEXPIRE', leader, life_ms) -- the clock was set back: else a dead leader would lead for the difference
  end
  return 0
end
redis.call('SET', leader, me, 'PX', life_ms)
return 1
