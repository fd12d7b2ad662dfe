-- Leave a mark in a knowledge base and, for a person, erase the answers stored from their questions.
--
-- KEYS[1]  prefix of the knowledge base
-- ARGV[1]  c, u or p: the mark is for a conversation, a user or a place
-- ARGV[2]  its id
-- ARGV[3]  the moment, Unix ms
-- ARGV[4]  life of the mark, ms
-- ARGV[5]  1 if stored answers go too (/forget)
-- Returns  answers erased
--
-- One script, so that no answer is stored between mark and erasure. Twice is as once, but for the count. O(answers).

local prefix, kind, marked = KEYS[1], ARGV[1], ARGV[2]
local at, mark_ms, everything = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'

set_mark(prefix, kind, marked, at, mark_ms)
local erased = 0
if everything then
  local asked = prefix .. ':asked:' .. marked
  for _, key in ipairs(redis.call('SMEMBERS', asked)) do
    erased = erased + redis.call('DEL', prefix .. ':answer:' .. key)
  end
  redis.call('DEL', asked)
end
return erased
