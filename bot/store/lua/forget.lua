-- Erase, in one partition, what was remembered up to a moment, and leave marks so that nothing older is kept later.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  what to forget: conversation | person | place | both (a person's conversations in a place)
-- ARGV[2]  conversation id    ARGV[3] person id    ARGV[4] place id; '' where the first argument needs none
-- ARGV[5]  the moment: arrival of the /reset or /forget, Unix ms
-- ARGV[6]  life of a mark, ms
-- ARGV[7]  1 if all that is stored of the person goes (/forget): dead letters, thread marks and index entries too
-- ARGV[8]  now, Unix ms; '' in production
-- Returns  { conversations that had a history, exchanges erased, dead letters erased, conversations marked }
--
-- Mailboxes, claims and open turns are left alone: settle and bury read the marks. One script, so that no put and no
-- settle comes between mark and erasure. Twice is as once, but for the counts.
-- O(exchanges + dead letters), the former squared within one history, which has few.

local prefix, what, conversation, person, place = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local at, mark_ms, everything, now = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1', clock(ARGV[8])
local of_person, of_place = prefix .. ':of:u:' .. person, prefix .. ':of:p:' .. place

local function conversations_meant()
  if what == 'conversation' then
    return { conversation }
  elseif what == 'person' then
    return redis.call('ZRANGE', of_person, 0, -1)
  elseif what == 'place' then
    return redis.call('ZRANGE', of_place, 0, -1)
  end
  return redis.call('ZINTER', 2, of_person, of_place)
end

-- The first three of a conversation's five parts.
local function place_of(id)
  return string.match(id, '^([^:]*:[^:]*:[^:]*):') or ''
end

-- What lies ahead of the clock was remembered before that was set back: it is old, too.
local function is_old(moment)
  return moment <= at or moment > now
end

-- What is old may stand behind what is newer: a retried letter's exchange does, and what was said before a clock was set
-- back.
local function erase_history(key)
  local old = 0
  for _, entry in ipairs(redis.call('LRANGE', key, 0, -1)) do
    if is_old(arrival(entry)) then
      old = old + redis.call('LREM', key, 0, entry)
    end
  end
  return old
end

local conversations, exchanges, letters, marked = 0, 0, 0, {}
for _, id in ipairs(conversations_meant()) do
  local erased = erase_history(prefix .. ':history:' .. id)
  if erased > 0 then
    conversations, exchanges = conversations + 1, exchanges + erased
  end
  if what == 'conversation' or what == 'both' then
    set_mark(prefix, 'c', id, at, mark_ms)
    marked[#marked + 1] = id
  end
  local thread = prefix .. ':thread:' .. id
  if everything and is_old(tonumber(redis.call('GET', thread)) or 0) then
    redis.call('DEL', thread)
  end
end
if what == 'person' then
  set_mark(prefix, 'u', person, at, mark_ms)
elseif what == 'place' then
  set_mark(prefix, 'p', place, at, mark_ms)
end

if everything then
  local letters_of_person = prefix .. ':deadof:' .. person
  for _, id in ipairs(redis.call('SMEMBERS', letters_of_person)) do
    letters = letters + redis.call('DEL', prefix .. ':dead:' .. id)
    redis.call('ZREM', prefix .. ':dead', id)
  end
  redis.call('DEL', letters_of_person)
  for _, id in ipairs(redis.call('ZRANGE', of_person, '-inf', at, 'BYSCORE')) do
    redis.call('ZREM', prefix .. ':of:p:' .. place_of(id), id)
    redis.call('ZREM', of_person, id)
  end
end
return { conversations, exchanges, letters, marked }
