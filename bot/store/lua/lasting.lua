-- Which messages this server does not have, of those that were stored a moment ago: whoever waits for disk or replica
-- behind it waits for what stored the others, too.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1…] hour of the platform's date, Unix hours, and id of each message
-- Returns  ids of those that were lost with the server that had them
--
-- Atomic, but each message stands for itself. Reads only. O(messages).

local prefix = KEYS[1]

local gone = {}
for i = 1, #ARGV, 2 do
  if not seen_in(prefix, ARGV[i], ARGV[i + 1]) then
    gone[#gone + 1] = ARGV[i + 1]
  end
end
return gone
