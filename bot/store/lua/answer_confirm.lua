-- The passages of a stored answer were found again, unchanged: it is good for this epoch too.
--
-- KEYS[1]  prefix of the knowledge base
-- ARGV[1]  key of scope and question
-- ARGV[2]  references the answer was built on, as stored
-- ARGV[3]  epoch read before the search that found them
-- Returns  1, or 0 if the entry is gone or another by now
--
-- Atomic, because an entry replaced meanwhile must not be vouched for. Twice is as once. O(1).

local entry, references, epoch = KEYS[1] .. ':answer:' .. ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('HGET', entry, 'references') ~= references then
  return 0
end
if (tonumber(redis.call('HGET', entry, 'epoch')) or -1) < epoch then
  redis.call('HSET', entry, 'epoch', epoch)
end
return 1
