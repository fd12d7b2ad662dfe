-- What waits in one partition, and what was given up, for the metrics.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  most conversations to look at
-- ARGV[2]  life of a dead letter, ms
-- ARGV[3]  now, Unix ms; '' in production
-- Returns  { messages waiting, ms that the oldest has waited to be taken up, or again, dead letters }
--
-- Who is being answered, and what is put off for a while, is not waiting to be taken up.
-- One script, because a head that is settled between two reads would look ageless. Bounded, because a scrape must not
-- hold Redis: of more conversations those due first are looked at, and each other one counts as one message.
-- Reads only. O(conversations).

local prefix, most, dead_ms, now = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), clock(ARGV[3])
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
-- One that has run out stays in the set until the next burial.
return { waiting, now - oldest, redis.call('ZCOUNT', prefix .. ':dead', now - dead_ms, '+inf') }
