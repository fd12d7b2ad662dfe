-- What waits in one partition, for the metrics.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  most conversations to look at
-- ARGV[2]  now, Unix ms; '' in production
-- Returns  { messages waiting, age of the oldest in ms }
--
-- One script, because a head that is settled between two reads would look ageless. Bounded, because a scrape must not
-- hold Redis: of more conversations those due first are looked at. Reads only. O(conversations).

local prefix, most, now = KEYS[1], tonumber(ARGV[1]), clock(ARGV[2])

local waiting, oldest = 0, now
for _, conversation in ipairs(redis.call('ZRANGE', prefix .. ':due', 0, most - 1)) do
  local mail = prefix .. ':mail:' .. conversation
  waiting = waiting + redis.call('LLEN', mail)
  local head = redis.call('LINDEX', mail, 0)
  local body = head and redis.call('HGET', prefix .. ':body:' .. conversation, head)
  if body then
    oldest = math.min(oldest, arrival(body))
  end
end
return { waiting, now - oldest }
