-- Store an answer for others, unless its asker was forgotten since, and free those who wait for it.
--
-- KEYS[1]  prefix of the knowledge base
-- ARGV[1]  key of scope and question
-- ARGV[2]  message id of the asker
-- ARGV[3]  arrival of the message, Unix ms
-- ARGV[4]  conversation id    ARGV[5] person id    ARGV[6] place id
-- ARGV[7]  life of the entry, ms
-- ARGV[8]  life of a `free` mark, ms
-- ARGV[9…] field, value, field, value, … of the entry
-- Returns  1 if stored, 0 if the asker was forgotten
--
-- One script, because an answer kept after a /forget would break its promise. Twice is as once. O(fields).

local prefix, key, me, arrived = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local conversation, person, place = ARGV[4], ARGV[5], ARGV[6]
local ttl_ms, free_ms = tonumber(ARGV[7]), tonumber(ARGV[8])

local lead = prefix .. ':lead:' .. key
local leads = redis.call('GET', lead) == me
if arrived <= forgotten_at(prefix, conversation, person, place) then
  if leads then
    redis.call('SET', lead, 'free', 'PX', free_ms)
  end
  return 0
end
local entry, asked = prefix .. ':answer:' .. key, prefix .. ':asked:' .. person
redis.call('DEL', entry)
redis.call('HSET', entry, unpack(ARGV, 9))
redis.call('PEXPIRE', entry, ttl_ms)
redis.call('SADD', asked, key)
-- Never sooner: an answer stored before `answers.ttl` was made shorter must still be found by /forget.
redis.call('PEXPIRE', asked, math.max(ttl_ms, redis.call('PTTL', asked)))
if leads then
  redis.call('DEL', lead)
end
return 1
