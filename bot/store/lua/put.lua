-- Store one message of a person, once.
--
-- KEYS[1]  prefix of the inbox partition; every key built from it lies in its slot
-- ARGV[1]  conversation id
-- ARGV[2]  message id, the same for every redelivery
-- ARGV[3]  the message as JSON
-- ARGV[4]  hour of the platform's date, Unix hours: the bucket of the seen mark
-- ARGV[5]  direct | call | follow
-- ARGV[6]  most messages that may wait in a mailbox, > 0
-- ARGV[7]  life of a seen mark, ms
-- ARGV[8]  life of a thread mark, ms
-- ARGV[9]  person id
-- ARGV[10] place id
-- ARGV[11] life of an index entry, ms; longer than whatever it leads to
-- ARGV[12] doorbell channel
-- ARGV[13] now, Unix ms; '' in production
-- ARGV[14] hour of the message of the conversation before this one, if it is not durable yet; else ''
-- ARGV[15] its id
-- Returns  stored | duplicate | refused | counted | unaddressed; overtaking, with nothing stored, if the one before
--          is gone with the server that had it: it comes again, and this one must come behind it
--
-- Atomic, because the seen mark without the message would lose it, the message without the mark would double it, and
-- a conversation that is not in the indexes of its person and place could not be forgotten.
-- A second run finds the message seen. O(log n) in the conversations of the partition.

local prefix, conversation, id, record, hour, addressing = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local max_waiting, seen_ms, thread_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local person, place, index_ms, doorbell = ARGV[9], ARGV[10], tonumber(ARGV[11]), ARGV[12]
local now, before_hour, before = clock(ARGV[13]), ARGV[14], ARGV[15]

if seen_in(prefix, hour, id) then
  return 'duplicate'
end
if before ~= '' and not seen_in(prefix, before_hour, before) then
  return 'overtaking'
end

local thread = prefix .. ':thread:' .. conversation
if addressing == 'follow' and redis.call('EXISTS', thread) == 0 then
  return 'unaddressed'
end
if addressing ~= 'direct' then
  redis.call('SET', thread, now, 'PX', thread_ms)
end
for _, index in ipairs({ prefix .. ':of:u:' .. person, prefix .. ':of:p:' .. place }) do
  redis.call('ZADD', index, 'GT', now, conversation)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now - index_ms)
  redis.call('PEXPIRE', index, index_ms)
end

-- After all that may fail: a script that Redis ends keeps what it wrote, and a mark without its message would lose it.
local function mark_seen()
  local seen = prefix .. ':seen:' .. hour
  redis.call('SADD', seen, id)
  redis.call('PEXPIRE', seen, seen_ms)
end

local mail = prefix .. ':mail:' .. conversation
local waiting = redis.call('LLEN', mail)
if waiting > max_waiting then
  mark_seen()
  return 'counted'
end
local full = waiting == max_waiting
-- A /reset or /forget ahead of the clock was before this message, and the clock was set back since.
local forgotten = forgotten_at(prefix, conversation, person, place)
local arrived = forgotten > now and forgotten + 1 or now
redis.call('HSET', prefix .. ':body:' .. conversation, id, string.format('%d:%d:', arrived, full and 1 or 0) .. record)
redis.call('RPUSH', mail, id)
mark_seen()
follow_clock(prefix, now)
redis.call('ZADD', prefix .. ':due', 'NX', now, conversation)
note_clock(prefix, now)
redis.call('PUBLISH', doorbell, '')
return full and 'refused' or 'stored'
