-- Look an answer up, or settle who gives it.
--
-- KEYS[1]  prefix of the knowledge base
-- ARGV[1]  key of scope and question
-- ARGV[2]  message id of the asker: the leader's name; '' if this asker's answer will not be stored for others
-- ARGV[3]  life of the leader's mark, ms
-- ARGV[4]  an entry of this epoch or an older one is stale and dropped; -1: none is
-- ARGV[5…] fields of the entry that are wanted
-- Returns  { 'hit', current epoch, values of these fields } or { 'lead' | 'alone' | 'wait' }
--
-- One round trip and one script, because of many who ask the same at once exactly one must lead. The same message
-- asking again leads again. O(1).

local prefix, key, me = KEYS[1], ARGV[1], ARGV[2]
local lead_ms, stale = tonumber(ARGV[3]), tonumber(ARGV[4])

local entry = prefix .. ':answer:' .. key
local epoch = tonumber(redis.call('HGET', entry, 'epoch')) or -1
if epoch > stale then
  return { 'hit', tonumber(redis.call('GET', prefix .. ':epoch')) or 0, redis.call('HMGET', entry, unpack(ARGV, 5)) }
end
redis.call('DEL', entry)

if me == '' then
  return { 'alone' }
end
local lead = prefix .. ':lead:' .. key
local leader = redis.call('GET', lead)
if not leader or leader == me then
  redis.call('SET', lead, me, 'PX', lead_ms)
  return { 'lead' }
end
if redis.call('PTTL', lead) > lead_ms then
  redis.call('PEXPIRE', lead, lead_ms) -- the clock was set back
end
return { leader == 'free' and 'alone' or 'wait' }
