-- What waits in one partition, for the metrics.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  most conversations to look at
-- ARGV[2]  now, Unix ms; '' in production
-- Returns  { messages waiting, ms that the oldest has waited to be taken up, or again }
--
-- Who is being answered, and what is put off for a while, is not waiting to be taken up.
-- One script, because a head that is settled between two reads would look ageless. Bounded, because a scrape must not
-- hold Redis: of more conversations those due first are looked at, and each other one counts as one message.
-- Reads only. O(conversations).

local prefix, most, now = KEYS[1], tonumber(ARGV[1]), clock(ARGV[2])
local due = prefix .. ':due'

local function head_arrival(conversation)
  local head = redis.call('LINDEX', prefix .. ':mail:' .. conversation, 0)
  local body = head and redis.call('HGET', prefix .. ':body:' .. conversation, head)
  return body and arrival(body) or now
end

local entries = redis.call('ZRANGE', due, 0, most - 1, 'WITHSCORES')
local waiting, oldest = redis.call('ZCARD', due) - #entries / 2, now
for i = 1, #entries, 2 do
  waiting = waiting + redis.call('LLEN', prefix .. ':mail:' .. entries[i])
  if tonumber(entries[i + 1]) <= now then
    oldest = math.min(oldest, head_arrival(entries[i]))
  end
end
local line = redis.call('ZRANGE', due, IN_LINE, '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
if line then
  oldest = math.min(oldest, head_arrival(line))
end
return { waiting, now - oldest }
