-- Drop a stored answer: somebody disliked it.
--
-- KEYS[1]  prefix of the knowledge base
-- ARGV[1]  key of scope and question
-- Returns  1, or 0 if there was none
--
-- Atomic as one command. Twice is as once, but for the count. O(fields).

return redis.call('DEL', KEYS[1] .. ':answer:' .. ARGV[1])
