-- Which messages this server does not have, of those that were stored a moment ago; a write for the others, so that
-- whoever waits for disk or replica behind it waits for what stored them too.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  life of a seen mark, ms
-- ARGV[2…] hour of the platform's date, Unix hours, and id of each message
-- Returns  ids of those that were lost with the server that had them
--
-- Atomic, but each message stands for itself; a second run finds the same. O(messages).

local prefix, seen_ms = KEYS[1], tonumber(ARGV[1])

local gone = {}
for i = 2, #ARGV, 2 do
  local seen = seen_in(prefix, ARGV[i], ARGV[i + 1])
  if seen then
    redis.call('PEXPIRE', seen, seen_ms)
  else
    gone[#gone + 1] = ARGV[i + 1]
  end
end
return gone
