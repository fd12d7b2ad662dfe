-- Give back what was reserved for a message that gets no answer of the model.
--
-- KEYS[1]  ZSET of message ids by Unix ms
-- KEYS[2]  HASH message id → tokens reserved or spent
-- ARGV[1]  message id
-- Returns  1
--
-- Atomic, because both say one thing. Asked again later, the message is decided about anew. Twice is as once.
-- O(log n).

local asked, tokens_of, id = KEYS[1], KEYS[2], ARGV[1]
redis.call('ZREM', asked, id)
redis.call('HDEL', tokens_of, id)
return 1
